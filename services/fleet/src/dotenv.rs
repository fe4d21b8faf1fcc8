//! The `.env` file: read, and written with fresh secrets on the first run.
//!
//! The rules for writing are those of `scripts/generate-env.sh`, which serves machines without this
//! binary: a variable whose comment says `[generated]` gets a random value, `[generated: jwt ROLE]`
//! a token for that role.

use std::{collections::BTreeMap, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rand::{RngExt, distr::Alphanumeric};
use sha2::Sha256;
use time::{Duration, OffsetDateTime};

/// Every variable, with its explanation; the template of `.env`.
const TEMPLATE: &str = include_str!("../../../.env.example");

/// Letters and digits in a generated secret.
const SECRET_LENGTH: usize = 48;

/// How long a generated API key is valid.
const KEY_LIFETIME: Duration = Duration::days(10 * 365);

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// Reads `path`, writing it first when it does not exist, or adding what a newer version needs.
pub fn load_or_generate(path: &Path) -> Result<Variables> {
    if path.is_file() {
        complete(path)?;
    } else if !path.exists() {
        write_new(path, &generate(&Variables::new())?)?;
        eprintln!("wrote {} with fresh secrets (mode 600)", path.display());
    }
    load(path)
}

/// Adds to `path` the variables of the template that it lacks.
fn complete(path: &Path) -> Result<()> {
    let known = load(path)?;
    let whole = parse(&generate(&known)?)?;
    let lacking = whole.iter().filter(|(name, _)| !known.contains_key(*name));
    let mut text: String = lacking
        .clone()
        .map(|(name, value)| [name, "=", value, "\n"].concat())
        .collect();
    if text.is_empty() {
        return Ok(());
    }
    // Otherwise the first of them would become part of a last line that does not end.
    if !std::fs::read_to_string(path)?.ends_with('\n') {
        text.insert(0, '\n');
    }
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(text.as_bytes())?;
    for (name, _) in lacking {
        eprintln!("added {name} to {}", path.display());
    }
    Ok(())
}

/// Reads `path`. A variable of the template that is given as `NAME_FILE` has the content of that file.
pub fn load(path: &Path) -> Result<Variables> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let mut variables =
        parse(&text).with_context(|| format!("{} is not usable", path.display()))?;
    for name in parse(TEMPLATE)?.into_keys() {
        let file_name = format!("{name}_FILE");
        // With both, the services say that one of them must go.
        if variables.contains_key(&name) {
            continue;
        }
        if let Some(file) = variables.remove(&file_name) {
            let value = std::fs::read_to_string(&file)
                .with_context(|| format!("{file_name} cannot be read"))?;
            variables.insert(name, value.trim_end_matches(['\r', '\n']).to_owned());
        }
    }
    Ok(variables)
}

/// Replaces the JWT secret and the API keys in `path`; every other line stays as it is. Keys without
/// their secret would be worthless, so it is all of them or none.
pub fn rotate_keys(path: &Path) -> Result<()> {
    const ROTATED: [&str; 3] = ["JWT_SECRET", "ANON_KEY", "SERVICE_ROLE_KEY"];
    let fresh = parse(&generate(&Variables::new())?)?;
    let old = std::fs::read_to_string(path)?;
    let lines = old.lines().map(|line| {
        let name = line.split('=').next().unwrap_or_default().trim();
        match fresh.get(name).filter(|_| ROTATED.contains(&name)) {
            Some(value) => format!("{name}={value}\n"),
            None => format!("{line}\n"),
        }
    });
    let text: String = lines.collect();
    let rotated = parse(&text)?;
    if let Some(name) = ROTATED
        .iter()
        .find(|name| rotated.get(**name) != fresh.get(**name))
    {
        bail!("{name} is not in {}; nothing was changed", path.display());
    }
    let draft = path.with_extension("new");
    write_new(&draft, &text)?;
    std::fs::rename(&draft, path)?;
    Ok(())
}

/// The text of a new `.env`; variables in `given` keep their value.
pub fn generate(given: &Variables) -> Result<String> {
    let mut text = String::new();
    let mut marker = None;
    let mut jwt_secret = String::new();
    for line in TEMPLATE.lines() {
        text.push_str(line);
        if line.starts_with('#') {
            marker = generation(line).or(marker);
        } else if let Some(name) = line.strip_suffix('=') {
            let value = match (given.get(name), marker.take()) {
                (Some(value), _) => value.clone(),
                (None, Some(Generation::Random)) => random_secret(),
                (None, Some(Generation::Token(role))) => sign_token(role, &jwt_secret)?,
                (None, None) => String::new(),
            };
            if name == "JWT_SECRET" {
                jwt_secret.clone_from(&value);
            }
            text.push_str(&value);
        }
        text.push('\n');
    }
    Ok(text)
}

/// The variables of a file's `text`.
pub fn parse(text: &str) -> Result<Variables> {
    let mut variables = Variables::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            bail!("line {} is not NAME=value", index + 1);
        };
        variables.insert(name.trim().to_owned(), unquote(value.trim()).to_owned());
    }
    Ok(variables)
}

/// The port that the variable `name` holds; none when it is empty or not there.
pub fn port(variables: &Variables, name: &str) -> Result<Option<u16>> {
    variables
        .get(name)
        .filter(|value| !value.is_empty())
        .map(|value| {
            value
                .parse()
                .with_context(|| format!("{name} is not a port"))
        })
        .transpose()
}

enum Generation<'a> {
    Random,
    Token(&'a str),
}

/// What a comment line says about the variable below it.
fn generation(comment: &str) -> Option<Generation<'_>> {
    let (_, rest) = comment.split_once("[generated")?;
    let (kind, _) = rest.split_once(']')?;
    match kind.strip_prefix(": jwt ") {
        Some(role) => Some(Generation::Token(role)),
        None => Some(Generation::Random),
    }
}

fn unquote(value: &str) -> &str {
    let quoted = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    quoted('"').or_else(|| quoted('\'')).unwrap_or(value)
}

fn random_secret() -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(SECRET_LENGTH)
        .map(char::from)
        .collect()
}

/// A JSON Web Token (RFC 7519, HS256) for `role`.
fn sign_token(role: &str, secret: &str) -> Result<String> {
    let now = OffsetDateTime::now_utc();
    let claims = serde_json::json!({
        "iss": "ferrobase",
        "role": role,
        "iat": now.unix_timestamp(),
        "exp": (now + KEY_LIFETIME).unix_timestamp(),
    });
    let header = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let unsigned = format!(
        "{header}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut signer = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    signer.update(unsigned.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signer.finalize().into_bytes());
    Ok(format!("{unsigned}.{signature}"))
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use common::identity::Verifier;
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_generated_file_holds_strong_secrets_and_working_keys() {
        let variables = parse(&generate(&Variables::new()).unwrap()).unwrap();
        let secret = &variables["JWT_SECRET"];
        assert_eq!(common::config::weakness(secret, 32), None);
        let verifier = Verifier::new(&SecretString::from(secret.clone()));
        for (name, role) in [("ANON_KEY", "anon"), ("SERVICE_ROLE_KEY", "service_role")] {
            let claims = verifier.verify(&variables[name]).unwrap();
            assert_eq!(claims.role.as_deref(), Some(role));
        }
        let empty: Vec<_> = variables
            .iter()
            .filter(|(_, value)| value.is_empty())
            .collect();
        assert!(empty.is_empty(), "{empty:?}");
    }

    #[test]
    fn two_files_share_no_secret() {
        let [first, second] =
            [(); 2].map(|()| parse(&generate(&Variables::new()).unwrap()).unwrap());
        assert_ne!(first["JWT_SECRET"], second["JWT_SECRET"]);
        assert_ne!(first["POSTGRES_PASSWORD"], second["POSTGRES_PASSWORD"]);
    }

    #[test]
    fn an_older_file_gets_what_it_lacks_and_keeps_what_it_has() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "a password\n").unwrap();
        let older = format!(
            "POSTGRES_PASSWORD_FILE={}\nJWT_SECRET=0123456789abcdef0123456789abcdef",
            secret.display()
        );
        std::fs::write(&path, &older).unwrap();
        let completed = load_or_generate(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&format!("{older}\n")), "{text}");
        assert!(!text.contains("POSTGRES_PASSWORD="), "{text}");
        assert_eq!(completed["POSTGRES_PASSWORD"], "a password");
        let verifier = Verifier::new(&completed["JWT_SECRET"].clone().into());
        verifier.verify(&completed["ANON_KEY"]).unwrap();
        assert_eq!(load_or_generate(&path).unwrap(), completed);
    }

    #[test]
    fn values_may_be_quoted_and_hold_equals_signs() {
        let variables = parse("# comment\nA=b=c\n\nD=\"e f\"\n").unwrap();
        assert_eq!(variables["A"], "b=c");
        assert_eq!(variables["D"], "e f");
        assert!(parse("nonsense").is_err());
    }

    #[test]
    fn rotation_replaces_the_keys_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        let before = load_or_generate(&path).unwrap();
        rotate_keys(&path).unwrap();
        let after = load(&path).unwrap();
        assert_ne!(before["JWT_SECRET"], after["JWT_SECRET"]);
        assert_ne!(before["ANON_KEY"], after["ANON_KEY"]);
        assert_eq!(before["POSTGRES_PASSWORD"], after["POSTGRES_PASSWORD"]);
    }

    #[test]
    fn keys_are_not_rotated_without_their_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        let text = "JWT_SECRET_FILE=/run/secret\nANON_KEY=a\nSERVICE_ROLE_KEY=b\n";
        std::fs::write(&path, text).unwrap();
        let error = rotate_keys(&path).unwrap_err().to_string();
        assert!(error.contains("JWT_SECRET is not in"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        std::fs::write(&path, "JWT_SECRET = a\nANON_KEY=b\nSERVICE_ROLE_KEY=c\n").unwrap();
        rotate_keys(&path).unwrap();
        assert_ne!(load(&path).unwrap()["JWT_SECRET"], "a");
    }
}
