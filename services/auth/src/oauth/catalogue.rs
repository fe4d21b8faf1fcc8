//! The providers that clients know by name, and what is known about each.

use super::rules::{ClientAuth, Emails, Endpoints, Named, OAUTH2, OIDC, Rules, STANDARD, Verified};

const X: Named = Named {
    name: "x",
    url: "https://api.x.com",
    endpoints: Endpoints::Known {
        authorize: "https://x.com/i/oauth2/authorize",
        token: "{url}/2/oauth2/token",
        profile: "{url}/2/users/me?user.fields=confirmed_email,profile_image_url",
    },
    scopes: &["users.read", "users.email", "tweet.read", "offline.access"],
    client_auth: ClientAuth::Basic,
    pkce: true,
    rules: Rules {
        root: "data",
        claims: &[
            ("sub", "id"),
            ("name", "name"),
            ("user_name", "username"),
            ("preferred_username", "username"),
            ("picture", "profile_image_url"),
        ],
        email: "confirmed_email",
        ..OAUTH2.rules
    },
    ..OAUTH2
};

/// Every provider with a name, in the order of the alphabet.
pub const NAMED: &[Named] = &[
    Named {
        name: "apple",
        url: "https://appleid.apple.com",
        scopes: &["email", "name"],
        parameters: &[("response_mode", "form_post")],
        client_auth: ClientAuth::Form,
        ..OIDC
    },
    Named {
        name: "azure",
        url: "https://login.microsoftonline.com/common",
        issuer: Some("{url}/v2.0"),
        rules: Rules {
            // Anybody can put any address into a directory of their own.
            verified: Verified::When(&["xms_edov"]),
            ..STANDARD
        },
        ..OIDC
    },
    Named {
        name: "bitbucket",
        url: "https://bitbucket.org",
        endpoints: Endpoints::Known {
            authorize: "{url}/site/oauth2/authorize",
            token: "{url}/site/oauth2/access_token",
            profile: "https://api.bitbucket.org/2.0/user",
        },
        scopes: &["account", "email"],
        rules: Rules {
            claims: &[
                ("sub", "uuid"),
                ("name", "display_name"),
                ("picture", "links.avatar.href"),
            ],
            emails: Some(Emails {
                url: "https://api.bitbucket.org/2.0/user/emails",
                root: "values",
                primary: "is_primary",
                verified: "is_confirmed",
            }),
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "discord",
        url: "https://discord.com",
        endpoints: Endpoints::Known {
            authorize: "{url}/api/oauth2/authorize",
            token: "{url}/api/oauth2/token",
            profile: "{url}/api/users/@me",
        },
        scopes: &["email", "identify"],
        rules: Rules {
            claims: &[
                ("sub", "id"),
                ("name", "username"),
                ("nickname", "global_name"),
                (
                    "picture",
                    "https://cdn.discordapp.com/avatars/{id}/{avatar}.png",
                ),
            ],
            verified: Verified::When(&["verified"]),
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "facebook",
        url: "https://graph.facebook.com",
        endpoints: Endpoints::Known {
            authorize: "https://www.facebook.com/dialog/oauth",
            token: "{url}/oauth/access_token",
            profile: "{url}/me?fields=email,first_name,last_name,name,picture",
        },
        issuer: Some("https://www.facebook.com"),
        scopes: &["email"],
        rules: Rules {
            claims: &[
                ("sub", "id"),
                ("name", "name"),
                ("nickname", "name"),
                ("given_name", "first_name"),
                ("family_name", "last_name"),
                ("picture", "picture.data.url"),
            ],
            is_proven: true,
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "figma",
        url: "https://www.figma.com",
        endpoints: Endpoints::Known {
            authorize: "{url}/oauth",
            token: "https://api.figma.com/v1/oauth/token",
            profile: "https://api.figma.com/v1/me",
        },
        scopes: &["current_user:read"],
        client_auth: ClientAuth::Basic,
        rules: Rules {
            claims: &[("sub", "id"), ("name", "handle"), ("picture", "img_url")],
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "fly",
        url: "https://api.fly.io",
        endpoints: Endpoints::Known {
            authorize: "{url}/oauth/authorize",
            token: "{url}/oauth/token",
            profile: "{url}/oauth/token/info",
        },
        scopes: &["read"],
        rules: Rules {
            claims: &[("sub", "user_id"), ("name", "user_name")],
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "github",
        url: "https://github.com",
        endpoints: Endpoints::Known {
            authorize: "{url}/login/oauth/authorize",
            token: "{url}/login/oauth/access_token",
            profile: "{api}/user",
        },
        scopes: &["user:email"],
        rules: Rules {
            claims: &[
                ("sub", "id"),
                ("name", "name"),
                ("user_name", "login"),
                ("preferred_username", "login"),
                ("avatar_url", "avatar_url"),
            ],
            // The address of the profile is what its owner wants others to see.
            email: "",
            emails: Some(Emails {
                url: "{api}/user/emails",
                root: "",
                primary: "primary",
                verified: "verified",
            }),
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "gitlab",
        url: "https://gitlab.com",
        endpoints: Endpoints::Known {
            authorize: "{url}/oauth/authorize",
            token: "{url}/oauth/token",
            profile: "{url}/api/v4/user",
        },
        scopes: &["read_user"],
        pkce: true,
        rules: Rules {
            claims: &[
                ("sub", "id"),
                ("name", "name"),
                ("user_name", "username"),
                ("preferred_username", "username"),
                ("picture", "avatar_url"),
            ],
            verified: Verified::When(&["confirmed_at"]),
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "google",
        url: "https://accounts.google.com",
        ..OIDC
    },
    Named {
        name: "kakao",
        url: "https://kauth.kakao.com",
        endpoints: Endpoints::Known {
            authorize: "{url}/oauth/authorize",
            token: "{url}/oauth/token",
            profile: "https://kapi.kakao.com/v2/user/me",
        },
        issuer: Some("{url}"),
        scopes: &["account_email", "profile_image", "profile_nickname"],
        rules: Rules {
            claims: &[
                ("sub", "id"),
                ("name", "kakao_account.profile.nickname"),
                ("user_name", "kakao_account.profile.nickname"),
                ("preferred_username", "kakao_account.profile.nickname"),
                ("picture", "kakao_account.profile.profile_image_url"),
            ],
            email: "kakao_account.email",
            verified: Verified::When(&[
                "kakao_account.is_email_valid",
                "kakao_account.is_email_verified",
            ]),
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "keycloak",
        ..OIDC
    },
    Named {
        name: "linkedin_oidc",
        url: "https://www.linkedin.com/oauth",
        client_auth: ClientAuth::Form,
        pkce: false,
        ..OIDC
    },
    Named {
        name: "notion",
        url: "https://api.notion.com",
        endpoints: Endpoints::Known {
            authorize: "{url}/v1/oauth/authorize",
            token: "{url}/v1/oauth/token",
            profile: "{url}/v1/users/me",
        },
        parameters: &[("owner", "user")],
        client_auth: ClientAuth::Basic,
        rules: Rules {
            root: "bot.owner.user",
            claims: &[("sub", "id"), ("name", "name"), ("picture", "avatar_url")],
            email: "person.email",
            headers: &[("notion-version", "2021-08-16")],
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "slack_oidc",
        url: "https://slack.com",
        ..OIDC
    },
    Named {
        name: "spotify",
        url: "https://accounts.spotify.com",
        endpoints: Endpoints::Known {
            authorize: "{url}/authorize",
            token: "{url}/api/token",
            profile: "https://api.spotify.com/v1/me",
        },
        scopes: &["user-read-email"],
        client_auth: ClientAuth::Basic,
        pkce: true,
        rules: Rules {
            claims: &[
                ("sub", "id"),
                ("name", "display_name"),
                ("picture", "images.0.url"),
            ],
            verified: Verified::Never,
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "twitch",
        url: "https://id.twitch.tv",
        endpoints: Endpoints::Known {
            authorize: "{url}/oauth2/authorize",
            token: "{url}/oauth2/token",
            profile: "https://api.twitch.tv/helix/users",
        },
        scopes: &["user:read:email"],
        rules: Rules {
            root: "data.0",
            claims: &[
                ("sub", "id"),
                ("name", "login"),
                ("nickname", "display_name"),
                ("slug", "display_name"),
                ("picture", "profile_image_url"),
            ],
            headers: &[("client-id", "{client_id}")],
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    Named {
        name: "twitter",
        ..X
    },
    Named {
        name: "workos",
        url: "https://api.workos.com",
        endpoints: Endpoints::Known {
            authorize: "{url}/sso/authorize",
            token: "{url}/sso/token",
            profile: "{url}/sso/profile",
        },
        rules: Rules {
            claims: &[
                ("sub", "id"),
                ("name", "{first_name} {last_name}"),
                ("given_name", "first_name"),
                ("family_name", "last_name"),
            ],
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
    X,
    Named {
        name: "zoom",
        url: "https://zoom.us",
        endpoints: Endpoints::Known {
            authorize: "{url}/oauth/authorize",
            token: "{url}/oauth/token",
            profile: "https://api.zoom.us/v2/users/me",
        },
        client_auth: ClientAuth::Basic,
        rules: Rules {
            claims: &[
                ("sub", "id"),
                ("name", "{first_name} {last_name}"),
                ("picture", "pic_url"),
            ],
            verified: Verified::When(&["verified"]),
            ..OAUTH2.rules
        },
        ..OAUTH2
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_every_provider_says_who_its_user_is() {
        assert!(NAMED.is_sorted_by_key(|named| named.name));
        for named in NAMED {
            let claims = named.rules.claims;
            assert!(
                claims.iter().any(|(claim, _)| *claim == "sub"),
                "{}",
                named.name
            );
            let is_oidc = matches!(named.endpoints, Endpoints::Discovered);
            assert!(!is_oidc || named.issuer.is_some(), "{}", named.name);
        }
    }
}
