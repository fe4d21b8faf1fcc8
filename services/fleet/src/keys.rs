//! `ferrobase keys`.

use anyhow::Result;

use crate::{cli::Place, dotenv};

/// Where auth is behind the gateway.
const AUTH_PATH: &str = "/auth/v1";

/// Prints the gateway URL and the API keys, after making new ones if asked to.
pub(crate) fn run(place: &Place, rotate: bool, json: bool) -> Result<()> {
    if rotate && place.env_file.exists() {
        dotenv::rotate_keys(&place.env_file)?;
        eprintln!("new keys are in place; restart the stack, and sign in again");
    }
    let variables = dotenv::load_or_generate(&place.env_file)?;
    let get = |name: &str| variables.get(name).cloned().unwrap_or_default();
    let [auth, anon, service] = ["API_EXTERNAL_URL", "ANON_KEY", "SERVICE_ROLE_KEY"].map(get);
    let url = auth.trim_end_matches('/').trim_end_matches(AUTH_PATH);
    if json {
        let keys = serde_json::json!({ "url": url, "anon_key": anon, "service_role_key": service });
        println!("{keys:#}");
    } else {
        println!("gateway      {url}\nanon key     {anon}\nservice key  {service}");
    }
    Ok(())
}
