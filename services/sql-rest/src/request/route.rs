//! Path, method and profile: what is addressed, what is to be done, in which schema.

use http::{HeaderMap, Method, header::CONTENT_TYPE};
use percent_encoding::percent_decode_str;

use super::{Action, CallMethod, Incoming, Target};
use crate::{error::Error, media::MediaType, options::Options};

/// What a path addresses.
pub(super) fn target(path: &str) -> Result<Target, Error> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(Target::Root);
    }
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        [relation] => Ok(Target::Relation(decode(relation))),
        ["rpc", function] => Ok(Target::Function(decode(function))),
        _ => Err(Error::Path),
    }
}

fn decode(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// The schema asked for by header, checked; the default one when several are exposed and none is
/// asked for.
pub(super) fn profile(incoming: &Incoming<'_>, options: &Options) -> Result<Option<String>, Error> {
    let header = match *incoming.method {
        Method::POST | Method::PATCH | Method::PUT | Method::DELETE => "content-profile",
        _ => "accept-profile",
    };
    match header_text(incoming.headers, header) {
        Some(asked) if !options.schemas.contains(&asked) => Err(Error::Schema {
            asked,
            exposed: options.schemas.clone(),
        }),
        Some(asked) => Ok(Some(asked)),
        None => Ok(options.schemas.first().cloned()),
    }
}

fn header_text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// What a method means for what is addressed.
pub(super) fn action(method: &Method, target: &Target, options: &Options) -> Result<Action, Error> {
    let headers_only = *method == Method::HEAD;
    match target {
        Target::Function(_) => call(method),
        Target::Relation(_) => match *method {
            Method::GET | Method::HEAD => Ok(Action::Read { headers_only }),
            Method::POST => Ok(Action::Insert),
            Method::PATCH => Ok(Action::Update),
            Method::PUT => Ok(Action::Upsert),
            Method::DELETE => Ok(Action::Delete),
            Method::OPTIONS => Ok(Action::Info),
            _ => Err(unsupported(method)),
        },
        Target::Root => match *method {
            Method::GET | Method::HEAD if options.root_function.is_some() => call(method),
            Method::GET | Method::HEAD => Ok(Action::Inspect { headers_only }),
            Method::OPTIONS => Ok(Action::Info),
            _ => Err(unsupported(method)),
        },
    }
}

fn call(method: &Method) -> Result<Action, Error> {
    match *method {
        Method::GET => Ok(Action::Call(CallMethod::Get)),
        Method::HEAD => Ok(Action::Call(CallMethod::Head)),
        Method::POST => Ok(Action::Call(CallMethod::Post)),
        Method::OPTIONS => Ok(Action::Info),
        _ => Err(Error::RpcMethod(method.to_string())),
    }
}

fn unsupported(method: &Method) -> Error {
    Error::Method(method.to_string())
}

/// The target proper: `/` may be answered by a function.
pub(super) fn with_root_function(target: Target, action: Action, options: &Options) -> Target {
    match (&target, action, &options.root_function) {
        (Target::Root, Action::Call(_), Some(function)) => Target::Function(function.name.clone()),
        _ => target,
    }
}

/// The schema in which names are looked up.
pub(super) fn schema(profile: Option<&str>, target: &Target, options: &Options) -> String {
    match (&options.root_function, target) {
        (Some(function), Target::Function(name)) if *name == function.name && profile.is_none() => {
            function.schema.clone()
        }
        _ => profile.unwrap_or_default().to_owned(),
    }
}

/// The media type of the body; JSON unless the client says otherwise.
pub(super) fn content_type(headers: &HeaderMap) -> MediaType {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map_or(MediaType::Json, MediaType::parse)
}
