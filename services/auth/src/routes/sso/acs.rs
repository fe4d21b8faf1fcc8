//! `POST /sso/saml/acs`: browsers that come back from an identity provider.

use axum::{
    extract::{Request, State},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::StatusCode;
use url::Url;
use uuid::Uuid;

use crate::{
    AppState,
    error::{Error, Result, code},
    grant,
    issuance::{Issuance, issue},
    landing::{self, redirect},
    limits::Limit,
    oauth,
    request::{self, Origin, Params},
    saml::{
        self, METHOD,
        accounts::Arrival,
        assertion::{Assertion, Missing},
        provider::SsoProvider,
        response::{self, Expected},
    },
    store,
    verification::no_flow,
};

/// What a browser came back to.
#[derive(Debug)]
struct Return {
    /// Where it was.
    provider: SsoProvider,
    /// The request that sent it there; none when it was not us.
    request_id: Option<String>,
    /// Where it goes in the end.
    redirect_to: String,
    /// What ends with a code.
    flow_state: Option<Uuid>,
}

/// Takes a browser back from an identity provider, and leads it on with tokens, a code or an error.
#[utoipa::path(
    operation_id = "sso_answer",
    post,
    path = "/sso/saml/acs",
    request_body(
        content = String,
        content_type = "application/x-www-form-urlencoded",
        description = "`SAMLResponse` and `RelayState`"
    ),
    responses(
        (status = 302),
        (status = 303, description = "with an error in query and fragment"),
        (status = "4XX", body = crate::wire::RefusalV2)
    )
)]
pub async fn receive(
    State(state): State<AppState>,
    origin: Origin,
    request: Request,
) -> Result<Response> {
    state.saml()?;
    state
        .limits()
        .check(Limit::Assertion, origin.ip, state.now())?;
    let params = request::form(request).await?;
    let (target, outcome) = match claim(&state, &params).await {
        Err(error) => (state.destinations().site_text(), Err(error)),
        Ok(back) => {
            let target = state.destinations().allowed_or_site(&back.redirect_to);
            let outcome = complete(&state, &back, &params, (&origin, &target)).await;
            (target, outcome)
        }
    };
    match outcome {
        Ok(location) => Ok(redirect(StatusCode::FOUND, location)),
        Err(error) => {
            let location = landing::failed(&target, &error, true)?;
            Ok(redirect(StatusCode::SEE_OTHER, location))
        }
    }
}

/// What the browser came back to: what we sent it away for, which it can come back from once, or
/// what an identity provider began.
async fn claim(state: &AppState, params: &Params) -> Result<Return> {
    let relay_state = params.get("RelayState").unwrap_or_default();
    let back = if let Ok(id) = Uuid::try_parse(relay_state) {
        asked_for(state, id).await?
    } else if relay_state.is_empty() || Url::parse(relay_state).is_ok() {
        if params.get("SAMLart").is_some() {
            let message = "SAML Artifact response can only be used with SP initiated flow";
            return Err(Error::invalid(message));
        }
        Return {
            provider: claimed(state, &response_xml(params)?).await?,
            request_id: None,
            redirect_to: relay_state.to_owned(),
            flow_state: None,
        }
    } else {
        let message = "SAML RelayState is not a valid UUID or URL";
        return Err(Error::invalid(message));
    };
    if back.provider.is_enabled() {
        return Ok(back);
    }
    let message = "SSO Provider assigned for this domain is currently disabled";
    Err(Error::not_found(code::SSO_PROVIDER_DISABLED, message))
}

/// What we sent the browser away for.
async fn asked_for(state: &AppState, relay_state: Uuid) -> Result<Return> {
    let mut connection = state.store().connection().await?;
    let flow = store::saml_flows::claim(&mut connection, relay_state).await?;
    let flow = flow.ok_or_else(|| {
        let message = "SAML RelayState does not exist, try logging in again?";
        Error::not_found(code::SAML_RELAY_STATE_NOT_FOUND, message)
    })?;
    let validity = state
        .config()
        .saml
        .as_ref()
        .map(|saml| saml.relay_state_validity);
    let ends = flow
        .created_at
        .zip(validity)
        .map(|(since, validity)| since + validity);
    if ends.is_none_or(|ends| state.now() >= ends) {
        let message = "SAML RelayState has expired. Try logging in again?";
        return Err(Error::unprocessable(
            code::SAML_RELAY_STATE_EXPIRED,
            message,
        ));
    }
    let provider = store::sso_providers::by_id(&mut connection, flow.sso_provider_id).await?;
    Ok(Return {
        provider: provider.ok_or_else(unknown_idp)?,
        request_id: Some(flow.request_id),
        redirect_to: flow.redirect_to.unwrap_or_default(),
        flow_state: flow.flow_state_id,
    })
}

/// The identity provider that a response claims to be from, which is all that is believed of it here.
async fn claimed(state: &AppState, xml: &str) -> Result<SsoProvider> {
    let issuer = response::claimed_issuer(xml)
        .map_err(|_| Error::invalid("SAMLResponse is not a valid XML SAML assertion"))?;
    let mut connection = state.store().connection().await?;
    let found = store::sso_providers::by_entity_id(&mut connection, &issuer).await?;
    found.ok_or_else(unknown_idp)
}

/// Signs in whoever came back; where the browser is to be led.
async fn complete(
    state: &AppState,
    back: &Return,
    params: &Params,
    (origin, target): (&Origin, &str),
) -> Result<String> {
    let provider = &back.provider;
    let xml = response_xml(params)?;
    let assertion = verified(state, back, &xml).await?;
    let mapping = provider
        .attribute_mapping
        .as_deref()
        .cloned()
        .unwrap_or_default();
    let subject = assertion
        .subject(&provider.entity_id, &mapping)
        .map_err(lacking)?;
    let arrival = Arrival {
        provider,
        subject: &subject,
        new_user: Uuid::new_v4(),
        origin,
    };
    arrival.announce(state).await?;
    let settle = || {
        issue(state, |issuance| {
            settle(issuance, back, &assertion, &arrival, target)
        })
    };
    match settle().await {
        // Whoever was quicker has made what was in the way, and is found now.
        Err(error) if oauth::accounts::is_race(&error) => settle().await,
        settled => settled,
    }
}

async fn verified(state: &AppState, back: &Return, xml: &str) -> Result<Assertion> {
    let (us, now) = (state.saml()?, state.now());
    let provider = &back.provider;
    let fetcher = state.oauth().fetcher();
    let metadata = saml::current_metadata(state.store(), fetcher, provider, now).await?;
    let expected = Expected {
        entity_id: &provider.entity_id,
        keys: &metadata.keys,
        recipient: us.acs_url(),
        audience: us.entity_id(),
        request_id: back.request_id.as_deref(),
    };
    response::read(xml, &expected, now).map_err(|refusal| {
        tracing::warn!(sso_provider.id = %provider.id, %refusal, "a SAML response is refused");
        Error::invalid(format!("SAML Assertion is not valid: {refusal}"))
    })
}

/// Everything that a sign-on leaves behind, in one transaction.
async fn settle(
    issuance: Issuance<'_>,
    back: &Return,
    assertion: &Assertion,
    arrival: &Arrival<'_>,
    target: &str,
) -> Result<String> {
    let (state, now) = (issuance.state(), issuance.at());
    let mut tx = state.store().begin().await?;
    let known_as = (back.provider.entity_id.as_str(), assertion.id.as_str());
    if !store::saml_flows::use_assertion(&mut tx, known_as, assertion.usable_until, now).await? {
        let message = "SAML Assertion is not valid: it was used before";
        return Err(Error::invalid(message));
    }
    let user = arrival.sign_in(state, &mut tx).await?;
    let session_ends_at = assertion.session_ends_at;
    let location = if let Some(flow) = back.flow_state {
        let code =
            store::saml_flows::issue_code(&mut tx, flow, user.id, session_ends_at, now).await?;
        landing::with_query(target, &[("code", &code.ok_or_else(no_flow)?)])?
    } else {
        let granted = grant::begin(&issuance, &mut tx, &user, METHOD, arrival.origin).await?;
        granted.end_at(&mut tx, session_ends_at).await?;
        landing::with_fragment(target, granted.fragment([]))?
    };
    tx.commit().await?;
    Ok(location)
}

/// The response as XML.
fn response_xml(params: &Params) -> Result<String> {
    let mut text = params
        .get("SAMLResponse")
        .ok_or_else(|| Error::invalid("SAMLResponse is missing"))?
        .to_owned();
    text.retain(|c| !c.is_ascii_whitespace());
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| Error::invalid("SAMLResponse is not a valid Base64 string"))?;
    String::from_utf8(bytes)
        .map_err(|_| Error::invalid("SAMLResponse is not a valid XML SAML assertion"))
}

fn lacking(missing: Missing) -> Error {
    match missing {
        Missing::Id => Error::bad_request(
            code::SAML_ASSERTION_NO_USER_ID,
            "SAML Assertion did not contain a persistent Subject Identifier attribute or Subject \
             NameID uniquely identifying this user",
        ),
        Missing::Email => Error::bad_request(
            code::SAML_ASSERTION_NO_EMAIL,
            "SAML Assertion does not contain an email address",
        ),
    }
}

fn unknown_idp() -> Error {
    let message = "A SAML connection has not been established with this Identity Provider";
    Error::not_found(code::SAML_IDP_NOT_FOUND, message)
}
