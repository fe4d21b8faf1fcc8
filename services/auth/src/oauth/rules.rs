//! How a provider is described: where it is, how it speaks, and what its words mean.

/// A provider that clients know by name.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// Its name.
    pub name: &'static str,
    /// Where it is; `{url}` below stands for it, and the configuration can change it.
    pub url: &'static str,
    /// Where to ask what.
    pub endpoints: Endpoints,
    /// Who signs its ID tokens, if it has any.
    pub issuer: Option<&'static str>,
    /// What is asked for at least.
    pub scopes: &'static [&'static str],
    /// More parameters of the first request.
    pub parameters: &'static [(&'static str, &'static str)],
    /// How we prove who we are.
    pub client_auth: ClientAuth,
    /// Whether it understands PKCE.
    pub pkce: bool,
    /// What its words mean.
    pub rules: Rules,
}

/// Where to ask what.
#[derive(Clone, Copy, Debug)]
pub enum Endpoints {
    /// As the issuer's discovery document says.
    Discovered,
    /// As written here.
    Known {
        /// Where a browser is sent.
        authorize: &'static str,
        /// Where a code is exchanged.
        token: &'static str,
        /// Where the profile is.
        profile: &'static str,
    },
}

/// How we prove who we are when a code is exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// In the form.
    Form,
    /// In the header (RFC 6749, 2.3.1).
    Basic,
    /// As the discovery document says.
    Discovered,
}

/// What the words of a profile mean. Paths and texts are those of [`super::template`].
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The part of the answer that is the profile.
    pub root: &'static str,
    /// Claims of ours and what they are made of.
    pub claims: &'static [(&'static str, &'static str)],
    /// The address.
    pub email: &'static str,
    /// When the address counts as shown to be the user's.
    pub verified: Verified,
    /// Where more addresses are.
    pub emails: Option<Emails>,
    /// Headers of the request for the profile; `{client_id}` is filled in.
    pub headers: &'static [(&'static str, &'static str)],
    /// Whether the request must prove that it comes from us (Facebook's `appsecret_proof`).
    pub is_proven: bool,
}

/// When an address counts as shown to be the user's.
#[derive(Clone, Copy, Debug)]
pub enum Verified {
    /// The provider gives no others.
    Always,
    /// The provider does not tell.
    Never,
    /// When all of these members say yes.
    When(&'static [&'static str]),
}

/// A list of addresses.
#[derive(Clone, Copy, Debug)]
pub struct Emails {
    /// Where it is.
    pub url: &'static str,
    /// The part of the answer that is the list.
    pub root: &'static str,
    /// Whether an address is the user's first.
    pub primary: &'static str,
    /// Whether an address was shown to be the user's.
    pub verified: &'static str,
}

/// The claims of OpenID Connect (Core, 5.1).
const STANDARD_CLAIMS: &[(&str, &str)] = &[
    ("iss", "iss"),
    ("sub", "sub"),
    ("name", "name"),
    ("family_name", "family_name"),
    ("given_name", "given_name"),
    ("middle_name", "middle_name"),
    ("nickname", "nickname"),
    ("preferred_username", "preferred_username"),
    ("profile", "profile"),
    ("picture", "picture"),
    ("website", "website"),
    ("gender", "gender"),
    ("birthdate", "birthdate"),
    ("zoneinfo", "zoneinfo"),
    ("locale", "locale"),
    ("avatar_url", "picture"),
];

/// What the words of OpenID Connect mean.
pub const STANDARD: Rules = Rules {
    root: "",
    claims: STANDARD_CLAIMS,
    email: "email",
    verified: Verified::When(&["email_verified"]),
    emails: None,
    headers: &[],
    is_proven: false,
};

/// A provider that speaks OpenID Connect throughout.
pub const OIDC: Named = Named {
    name: "",
    url: "",
    endpoints: Endpoints::Discovered,
    issuer: Some("{url}"),
    scopes: &["openid", "email", "profile"],
    parameters: &[],
    client_auth: ClientAuth::Discovered,
    pkce: true,
    rules: STANDARD,
};

/// A provider that speaks OAuth 2.0 and has a profile of its own.
pub const OAUTH2: Named = Named {
    endpoints: Endpoints::Known {
        authorize: "",
        token: "",
        profile: "",
    },
    issuer: None,
    scopes: &[],
    client_auth: ClientAuth::Form,
    pkce: false,
    rules: Rules {
        verified: Verified::Always,
        ..STANDARD
    },
    ..OIDC
};
