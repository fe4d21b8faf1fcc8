//! What the claims of an access token must still be once a hook had its say.

use http::StatusCode;
use serde_json::Value;

use crate::{
    error::{Error, Result, code},
    user::Members,
};

/// What a claim may be.
type Kind = (&'static str, fn(&Value) -> bool);

const TEXT: Kind = ("string", Value::is_string);
const WHOLE: Kind = ("integer", |value| value.is_i64() || value.is_u64());
const OBJECT: Kind = ("object", Value::is_object);
const LIST: Kind = ("array", Value::is_array);
const AUDIENCE: Kind = ("string/array", |value| {
    value.is_string() || value.is_array()
});

/// Claims of a known kind.
const KINDS: [(&str, Kind); 16] = [
    ("aud", AUDIENCE),
    ("exp", WHOLE),
    ("jti", TEXT),
    ("iat", WHOLE),
    ("iss", TEXT),
    ("nbf", WHOLE),
    ("sub", TEXT),
    ("email", TEXT),
    ("phone", TEXT),
    ("app_metadata", OBJECT),
    ("user_metadata", OBJECT),
    ("role", TEXT),
    ("aal", TEXT),
    ("amr", LIST),
    ("session_id", TEXT),
    ("client_id", TEXT),
];

/// Claims that clients and services cannot do without.
const REQUIRED: [&str; 10] = [
    "aud",
    "exp",
    "iat",
    "sub",
    "email",
    "phone",
    "role",
    "aal",
    "session_id",
    "is_anonymous",
];

/// The claims of a hook's answer.
pub fn checked(mut answer: Value) -> Result<Members> {
    let Some(claims) = answer.get_mut("claims").map(Value::take) else {
        return Err(refused("output claims field is missing".to_owned()));
    };
    let Value::Object(claims) = claims else {
        return Err(refused("Error unmarshaling JSON output.".to_owned()));
    };
    let missing = REQUIRED
        .iter()
        .filter(|name| !claims.contains_key(**name))
        .map(|name| format!("- (root): {name} is required\n"));
    let wrong = KINDS.iter().filter_map(|(name, (kind, fits))| {
        let value = claims.get(*name)?;
        (!fits(value)).then(|| format!("- {name}: Invalid type. Expected: {kind}\n"))
    });
    let problems: String = missing.chain(wrong).collect();
    if problems.is_empty() {
        return Ok(claims);
    }
    Err(refused(format!(
        "output claims do not conform to the expected schema: \n{problems}"
    )))
}

fn refused(message: String) -> Error {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Error::refused(status, code::UNEXPECTED_FAILURE, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::Claims;

    fn answer(change: impl FnOnce(&mut Value)) -> Value {
        let mut claims = json!(Claims {
            exp: Some(1),
            ..Claims::default()
        });
        change(&mut claims);
        json!({ "claims": claims })
    }

    #[test]
    fn claims_may_be_added_and_changed() {
        let claims = checked(answer(|claims| claims["org"] = json!(["a"]))).unwrap();
        assert_eq!(claims["org"], json!(["a"]));
    }

    #[test]
    fn what_everybody_needs_must_stay() {
        let gone = answer(|claims| {
            claims.as_object_mut().unwrap().remove("sub");
        });
        let wrong = answer(|claims| claims["exp"] = json!("tomorrow"));
        for (answer, problem) in [
            (gone, "- (root): sub is required"),
            (wrong, "- exp: Invalid type. Expected: integer"),
            (json!({}), "output claims field is missing"),
            (json!(null), "output claims field is missing"),
        ] {
            let error = checked(answer).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
