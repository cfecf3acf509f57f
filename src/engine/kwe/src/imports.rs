//! Why a component does not fit: the imports that are unknown or typed differently, by name (E-4,
//! K-216).
//!
//! The linker itself stops at the first one. So the names are compared with what is registered, and
//! each known function is tried alone, with all others replaced by stubs that accept any type. Only
//! components that were refused pay this.

use std::collections::HashMap;

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

use crate::engine::Core;
use crate::host::Host;

/// Imports named in one error: more than the whole of WASI 0.2 has. A component may have millions.
const NAMED_MAX: usize = 256;

struct Import {
    interface: String,
    name: String,
    kind: Kind,
}

#[derive(PartialEq, Eq, Hash)]
enum Kind {
    /// A function the linker knows under this name of its interface; its type may differ.
    Known(String),
    UnknownFunction,
    UnknownResource,
    /// A core module or a component.
    Other,
}

/// The text of the refusal; `error` is what the linker said.
pub fn refusal(core: &Core, component: &Component, error: &wasmtime::Error) -> String {
    let imports = imports(core, component);
    let mut lines: Vec<String> = imports
        .iter()
        .filter(|import| !matches!(import.kind, Kind::Known(_)))
        .map(|import| format!("{}: not provided", import.title()))
        .collect();
    lines.extend(mistyped(core, component, &imports));
    if lines.is_empty() {
        return format!("the component does not fit: {error:#}");
    }
    let more = lines.len().saturating_sub(NAMED_MAX);
    lines.truncate(NAMED_MAX);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    format!("the component's imports do not fit: {}", lines.join("; "))
}

fn imports(core: &Core, component: &Component) -> Vec<Import> {
    let mut found = Vec::new();
    let mut resources = Vec::new();
    for (name, item) in component.component_type().imports(&core.engine) {
        match item.ty {
            ComponentItem::ComponentInstance(instance) => {
                for (function, item) in instance.exports(&core.engine) {
                    classify(core, name, function, &item.ty, &mut resources, &mut found);
                }
            }
            item => classify(core, "", name, &item, &mut resources, &mut found),
        }
    }
    found
}

fn classify(
    core: &Core,
    interface: &str,
    name: &str,
    item: &ComponentItem,
    resources: &mut Vec<ResourceType>,
    found: &mut Vec<Import>,
) {
    let known = known_interface(core, interface)
        .filter(|known| core.names[*known].iter().any(|known| known == name));
    let kind = match item {
        ComponentItem::Type(_) => return,
        ComponentItem::ComponentFunc(_) => match known {
            Some(interface) => Kind::Known(interface.into()),
            None => Kind::UnknownFunction,
        },
        // A second import of the same resource is an alias and needs no definition.
        ComponentItem::Resource(ty) if resources.contains(ty) => return,
        ComponentItem::Resource(ty) => {
            resources.push(*ty);
            if known.is_some() {
                return;
            }
            Kind::UnknownResource
        }
        _ => Kind::Other,
    };
    found.push(Import { interface: interface.into(), name: name.into(), kind });
}

/// The registered name of an interface, whatever compatible version is asked for.
pub fn known_interface<'a>(core: &'a Core, asked: &str) -> Option<&'a str> {
    core.names.keys().map(String::as_str).find(|known| same_interface(known, asked))
}

/// Whether two names mean one interface: 1.y.z agree in the first number, 0.y.z in the first two
/// (K-215).
pub fn same_interface(known: &str, asked: &str) -> bool {
    let split = |name: &'_ str| -> Option<(String, String)> {
        let (path, version) = name.split_once('@')?;
        let mut numbers = version.split('.');
        let (major, minor, patch) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let plain = patch.bytes().all(|byte| byte.is_ascii_digit()) && numbers.next().is_none();
        let line = if major == "0" { format!("0.{minor}") } else { major.into() };
        plain.then(|| (path.into(), line))
    };
    known == asked || split(known).is_some_and(|known| split(asked) == Some(known))
}

/// Each known function is tried once, so what this costs is bounded by what is served. Of imports of
/// one function by several compatible versions all are named when one does not fit.
fn mistyped(core: &Core, component: &Component, imports: &[Import]) -> Vec<String> {
    if linker(core, imports, None).is_none_or(|all| all.instantiate_pre(component).is_err()) {
        return Vec::new(); // Something besides functions; the linker's own words will have to do.
    }
    let mut fits = HashMap::new();
    let mut misfits = Vec::new();
    for import in imports.iter().filter(|import| matches!(import.kind, Kind::Known(_))) {
        let fits = fits.entry((&import.kind, &import.name)).or_insert_with(|| {
            linker(core, imports, Some(import))
                .is_none_or(|one| one.instantiate_pre(component).is_ok())
        });
        if !*fits {
            misfits.push(format!("{}: differently typed", import.title()));
        }
    }
    misfits
}

/// The engine's linker with every imported function replaced by a stub, except those of the name of
/// `real`.
fn linker(core: &Core, imports: &[Import], real: Option<&Import>) -> Option<Linker<Host>> {
    struct Stub;
    let mut linker = core.linker.clone();
    linker.allow_shadowing(true);
    for import in imports {
        let interface = match &import.kind {
            Kind::Known(interface) => interface,
            _ => &import.interface,
        };
        if real.is_some_and(|real| real.kind == import.kind && real.name == import.name) {
            continue;
        }
        let mut root = linker.root();
        let mut instance =
            if interface.is_empty() { root } else { root.instance(interface).ok()? };
        let done = match import.kind {
            Kind::Other => return None,
            Kind::UnknownResource => {
                instance.resource(&import.name, ResourceType::host::<Stub>(), |_, _| Ok(()))
            }
            _ => instance.func_new(&import.name, |_, _, _, _| Ok(())),
        };
        done.ok()?;
    }
    Some(linker)
}

impl Import {
    fn title(&self) -> String {
        match self.interface.is_empty() {
            true => format!("`{}`", self.name),
            false => format!("`{}` of `{}`", self.name, self.interface),
        }
    }
}

/// What is wrong with the component's `init`, if anything: it has to be `init: func(our: string)`.
pub fn init_refusal(engine: &Engine, component: &Component) -> Option<String> {
    let wanted = "every process exports `init: func(our: string)`";
    let ty = component.component_type();
    match ty.get_export(engine, "init").map(|item| item.ty) {
        Some(ComponentItem::ComponentFunc(function)) => {
            let params: Vec<_> = function.params().map(|(_, ty)| ty).collect();
            let string = params == [wasmtime::component::Type::String];
            (!string || function.results().len() != 0)
                .then(|| format!("the component's `init` is differently typed; {wanted}"))
        }
        Some(_) => Some(format!("the component's `init` is no function; {wanted}")),
        None => Some(format!("the component has no `init`; {wanted}")),
    }
}
