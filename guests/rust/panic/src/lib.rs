//! Prints once, then panics with a text that the crash report has to show.

wit_bindgen::generate!({
    path: "../../../wit/kinode-1.0.0",
    world: "process-v1",
});

struct Process;
export!(Process);

impl Guest for Process {
    fn init(our: String) {
        kinode::process::standard::print_to_terminal(0, "about to panic");
        panic!("this is the panic of {our}");
    }
}
