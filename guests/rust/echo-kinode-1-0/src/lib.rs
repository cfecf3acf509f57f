//! Answers every Request with its own body, metadata and blob. Built on `kinode_process_lib` 1.0.1.

use kinode_process_lib::{await_message, call_init, println, Address, Message, Response};

wit_bindgen::generate!({
    path: "../../../wit/kinode-1.0.0",
    world: "process-v1",
});

call_init!(init);

fn init(our: Address) {
    println!("echo at {our}");
    loop {
        match await_message() {
            Ok(Message::Request { body, metadata, .. }) => answer(body, metadata),
            Ok(Message::Response { .. }) => println!("echo: a Response nobody asked for"),
            Err(error) => println!("echo: send error {:?}", error.kind),
        }
    }
}

fn answer(body: Vec<u8>, metadata: Option<String>) {
    let mut response = Response::new().inherit(true).body(body);
    if let Some(metadata) = metadata {
        response = response.metadata(&metadata);
    }
    response.send().unwrap();
}
