//! `POST /sso/saml/acs`: responses that identity providers did not mean.

use axum::http::StatusCode;
use serde_json::json;
use time::Duration;

use crate::{
    identity_provider::{IdentityProvider, Said, Signed, begin, bring, with_idp},
    mailed::{fragment, query},
    provider::user_of,
    support::{EMAIL, Fixture},
};

/// Why a response is refused that was made from what Ada's identity provider says about her.
async fn refusal(
    service: &Fixture,
    idp: &IdentityProvider,
    make: impl FnOnce(&IdentityProvider, Said) -> String,
) -> String {
    let begun = begin(service, json!({})).await;
    let response = make(idp, Said::of(idp, Some(&begun.request_id)));
    let landed = bring(service, &response, &begun.relay_state).await;
    let landed = landed.expect(StatusCode::SEE_OTHER);
    assert_eq!(
        query(&landed, "error_code").as_deref(),
        Some("validation_failed")
    );
    assert_eq!(fragment(&landed, "access_token"), None);
    let description = query(&landed, "error_description").expect("a description");
    let reason = description.strip_prefix("SAML Assertion is not valid: ");
    reason.expect("a reason").to_owned()
}

const BY_NOBODY: &str = "its signature is by none of the identity provider's keys";
const CHANGED: &str = "its content is not what was signed";
const UNUSUAL: &str = "it is not a response of SAML 2.0 with one assertion";

/// Another assertion, about somebody else, with the same words.
fn about_mallory(said: &Said) -> String {
    let other = Said {
        id: "a-mallory".to_owned(),
        name_id: "mallory".to_owned(),
        ..said.clone()
    };
    other.assertion()
}

#[tokio::test]
async fn what_was_changed_after_it_was_signed_is_refused() {
    let (service, idp, _) = with_idp(&[]).await;
    for signed in [Signed::Assertion, Signed::Response, Signed::Both] {
        for (from, to) in [
            ("ada-1", "mallory"),
            ("Ada@example.com", "root@example.com"),
            ("<saml:Subject>", "<saml:Subject> "),
        ] {
            let reason = refusal(&service, &idp, |idp, said| {
                let said = Said { signed, ..said };
                idp.response(&said).replace(from, to)
            });
            assert_eq!(reason.await, CHANGED, "{from} {signed:?}");
        }
    }
}

#[tokio::test]
async fn what_nobody_signed_is_refused() {
    let (service, idp, _) = with_idp(&[]).await;
    let unsigned = |idp: &IdentityProvider, said| {
        let said = Said {
            signed: Signed::Nothing,
            ..said
        };
        idp.response(&said)
    };
    let reason = refusal(&service, &idp, unsigned).await;
    assert_eq!(reason, "neither it nor its response is signed");

    // A key is trusted because it stands in the metadata, not because it comes along.
    let stranger = IdentityProvider::new(&idp.entity_id);
    let by_stranger = |_: &IdentityProvider, said: Said| stranger.response(&said);
    assert_eq!(refusal(&service, &idp, by_stranger).await, BY_NOBODY);
    let rsa = IdentityProvider::with_rsa(&idp.entity_id);
    let by_rsa = |_: &IdentityProvider, said: Said| rsa.response(&said);
    assert_eq!(refusal(&service, &idp, by_rsa).await, BY_NOBODY);
}

#[tokio::test]
async fn a_signature_is_of_what_it_stands_in_and_by_means_that_are_trusted() {
    let (service, idp, _) = with_idp(&[]).await;
    let algorithm = "its signature uses an algorithm that is not accepted";
    for (from, to, expected) in [
        (
            "xmldsig-more#ecdsa-sha256",
            "xmldsig-more#rsa-sha256",
            BY_NOBODY,
        ),
        (
            "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
            algorithm,
        ),
        (
            "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"",
            "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"",
            algorithm,
        ),
        ("URI=\"#a-", "URI=\"#b-", BY_NOBODY),
        ("xmlenc#sha256", "xmlenc#sha512", BY_NOBODY),
        (
            "<ds:KeyInfo>",
            "<ds:Object></ds:Object><ds:KeyInfo>",
            "its signature is not of the form that SAML prescribes",
        ),
    ] {
        let reason = refusal(&service, &idp, |idp, said| {
            let response = idp.response(&said);
            assert!(response.contains(from), "{from}");
            response.replace(from, to)
        });
        assert_eq!(reason.await, expected, "{to}");
    }
    // Signed by the right key, but about another element.
    let reason = refusal(&service, &idp, |idp, said| {
        let signature = idp.signature(&said.assertion(), "elsewhere");
        with_signature(&said, &said.assertion(), &signature)
    });
    assert_eq!(
        reason.await,
        "its signature is not of the element that holds it"
    );
    // No signature over a reference to the whole document either.
    let reason = refusal(&service, &idp, |idp, said| {
        let signature = idp
            .signature(&said.assertion(), "")
            .replace("URI=\"#\"", "URI=\"\"");
        with_signature(&said, &said.assertion(), &signature)
    });
    assert_eq!(reason.await, BY_NOBODY);
}

/// A response around `assertion` with a signature in it.
fn with_signature(said: &Said, assertion: &str, signature: &str) -> String {
    let assertion = assertion.replacen("</saml:Issuer>", &format!("</saml:Issuer>{signature}"), 1);
    said.envelope("r-1", &assertion)
}

type Change = (fn(&mut Said), &'static str);
type Wrap = fn(&IdentityProvider, &Said) -> String;

/// Ways to have a forged assertion read in place of the one that is signed.
const WRAPS: [(&str, Wrap); 7] = [
    ("a second assertion before it", |idp, said| {
        let response = idp.response(said);
        let (head, tail) = response
            .split_once("<saml:Assertion")
            .expect("an assertion");
        format!("{head}{}<saml:Assertion{tail}", about_mallory(said))
    }),
    ("a second assertion after it", |idp, said| {
        let response = idp.response(said);
        response.replace(
            "</samlp:Response>",
            &format!("{}</samlp:Response>", about_mallory(said)),
        )
    }),
    ("the signed one hidden in an extension", |idp, said| {
        let response = idp.response(said);
        let (head, tail) = response
            .split_once("<saml:Assertion")
            .expect("an assertion");
        let inner = tail.replace("</samlp:Response>", "");
        format!(
            "{head}<samlp:Extensions><saml:Assertion{inner}</samlp:Extensions>{}\
                 </samlp:Response>",
            about_mallory(said)
        )
    }),
    (
        "the signed one inside the forged one's advice",
        |idp, said| {
            let response = idp.response(said);
            let (head, tail) = response
                .split_once("<saml:Assertion")
                .expect("an assertion");
            let inner = tail.replace("</samlp:Response>", "");
            let forged = about_mallory(said).replace(
                "<saml:AuthnStatement",
                &format!("<saml:Advice><saml:Assertion{inner}</saml:Advice><saml:AuthnStatement"),
            );
            format!("{head}{forged}</samlp:Response>")
        },
    ),
    (
        "the signed one inside the signature of the forged one",
        |idp, said| {
            let signature = idp.signature(&said.assertion(), &said.id);
            let object = format!("<ds:Object>{}</ds:Object></ds:Signature>", said.assertion());
            let signature = signature.replace("</ds:Signature>", &object);
            let forged = about_mallory(said);
            with_signature(said, &forged, &signature)
        },
    ),
    (
        "the signature moved into the forged one of the same id",
        |idp, said| {
            let signature = idp.signature(&said.assertion(), &said.id);
            let forged = said.assertion().replace("ada-1", "mallory");
            with_signature(said, &forged, &signature).replace(
                "</samlp:Response>",
                &format!("{}</samlp:Response>", said.assertion()),
            )
        },
    ),
    ("the signed response inside a forged one", |idp, said| {
        let response = idp.response(&Said {
            signed: Signed::Response,
            ..said.clone()
        });
        let forged = said.envelope("r-mallory", &about_mallory(said));
        forged.replace(
            "<samlp:Status>",
            &format!("<samlp:Extensions>{response}</samlp:Extensions><samlp:Status>"),
        )
    }),
];

#[tokio::test]
async fn nothing_can_be_wrapped_around_what_is_signed() {
    let (service, idp, _) = with_idp(&[]).await;
    for (what, wrap) in WRAPS {
        let reason = refusal(&service, &idp, |idp, said| wrap(idp, &said)).await;
        assert_eq!(reason, UNUSUAL, "{what}");
    }
}

#[tokio::test]
async fn one_signature_in_its_place_counts() {
    let (service, idp, _) = with_idp(&[]).await;
    let signed = |idp: &IdentityProvider, said: &Said| {
        let signature = idp.signature(&said.assertion(), &said.id);
        said.assertion()
            .replacen("</saml:Issuer>", &format!("</saml:Issuer>{signature}"), 1)
    };
    // With one assertion in place, a signature of another one is found out.
    let reason = refusal(&service, &idp, |idp, said| {
        let signature = idp.signature(&said.assertion(), &said.id);
        with_signature(&said, &about_mallory(&said), &signature)
    });
    assert_eq!(
        reason.await,
        "its signature is not of the element that holds it"
    );
    // Two signatures in one place are none.
    let reason = refusal(&service, &idp, |idp, said| {
        let twice = idp.signature(&said.assertion(), &said.id).repeat(2);
        with_signature(&said, &said.assertion(), &twice)
    });
    assert_eq!(reason.await, UNUSUAL);
    // And the same text without any of that is accepted.
    let begun = begin(&service, json!({})).await;
    let said = Said::of(&idp, Some(&begun.request_id));
    let response = said.envelope("r-1", &signed(&idp, &said));
    let landed = bring(&service, &response, &begun.relay_state).await;
    assert_eq!(user_of(&service, &landed).await["email"], EMAIL);
}

#[tokio::test]
async fn a_name_cannot_be_cut_by_a_comment() {
    let (service, idp, _) = with_idp(&[]).await;
    for aside in ["<!-- -->", "<?x y?>"] {
        let reason = refusal(&service, &idp, |idp, said| {
            let said = Said {
                name_id: "root@example.com.evil.org".to_owned(),
                ..said
            };
            idp.response(&said)
                .replace(".com.evil", &format!(".com{aside}.evil"))
        });
        assert_eq!(reason.await, UNUSUAL);
    }
    let malformed = "it is not well-formed XML without a document type";
    for doctype in [
        "<!DOCTYPE a>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>",
    ] {
        let make = |idp: &IdentityProvider, said: Said| format!("{doctype}{}", idp.response(&said));
        assert_eq!(refusal(&service, &idp, make).await, malformed);
    }
    let reason = refusal(&service, &idp, |idp, said| {
        let part =
            "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>";
        idp.response(&said)
            .replace("</samlp:Response>", &format!("{part}</samlp:Response>"))
    });
    assert_eq!(reason.await, "encrypted assertions are not supported");
}

#[tokio::test]
async fn a_response_for_somebody_else_or_another_time_is_refused() {
    let (service, idp, _) = with_idp(&[]).await;
    let changes: [Change; 9] = [
        (
            |said| said.audience = "https://other.example.com",
            "it is not for this audience",
        ),
        (
            |said| said.recipient = "https://other.example.com/acs",
            "it was sent for another recipient",
        ),
        (
            |said| said.destination = "https://other.example.com/acs",
            "it was sent for another recipient",
        ),
        (
            |said| said.issuer = "https://other.example.com".to_owned(),
            "it is not from the identity provider that was asked",
        ),
        (
            |said| said.request_id = Some("id-of-another".to_owned()),
            "it does not answer the request that was made",
        ),
        (
            |said| said.request_id = None,
            "it does not answer the request that was made",
        ),
        (
            |said| said.not_on_or_after -= Duration::minutes(7),
            "it has expired",
        ),
        (
            |said| said.not_before += Duration::minutes(3),
            "it is not valid yet",
        ),
        (
            |said| said.session_ends_at = Some(said.not_before),
            "it has expired",
        ),
    ];
    for (change, expected) in changes {
        let reason = refusal(&service, &idp, |idp, mut said| {
            change(&mut said);
            idp.response(&said)
        });
        assert_eq!(reason.await, expected);
    }
    let reason = refusal(&service, &idp, |idp, said| {
        idp.response(&Said {
            status: "Requester",
            ..said
        })
    });
    assert_eq!(
        reason.await,
        "the identity provider did not sign the user in"
    );
    // A signed response says where it is sent.
    let reason = refusal(&service, &idp, |idp, said| {
        idp.response(&Said {
            signed: Signed::Response,
            destination: "",
            ..said
        })
    });
    assert_eq!(reason.await, "it was sent for another recipient");
    let reason = refusal(&service, &idp, |idp, said| {
        let assertion = said.assertion().replace(
            "<saml:AudienceRestriction>",
            "<saml:Condition></saml:Condition><saml:AudienceRestriction>",
        );
        let signature = idp.signature(&assertion, &said.id);
        with_signature(&said, &assertion, &signature)
    });
    assert_eq!(reason.await, "it has a condition that is not supported");
}

#[tokio::test]
async fn clocks_may_differ_a_little() {
    let (service, idp, _) = with_idp(&[]).await;
    for change in [
        (|said: &mut Said| said.not_on_or_after = said.not_before + Duration::seconds(30))
            as fn(&mut Said),
        |said| said.not_before += Duration::seconds(90),
    ] {
        let landed = crate::identity_provider::through(&service, &idp, json!({}), change).await;
        landed.expect(StatusCode::FOUND);
    }
}

#[tokio::test]
async fn an_assertion_is_used_once() {
    let (service, idp, _) = with_idp(&[]).await;
    let response = idp.response(&Said::of(&idp, None));
    bring(&service, &response, "")
        .await
        .expect(StatusCode::FOUND);
    let again = bring(&service, &response, "")
        .await
        .expect(StatusCode::SEE_OTHER);
    let description = query(&again, "error_description");
    let expected = "SAML Assertion is not valid: it was used before";
    assert_eq!(description.as_deref(), Some(expected));
    // Of many at once, one gets through.
    let response = idp.response(&Said::of(&idp, None));
    let (a, b, c) = tokio::join!(
        bring(&service, &response, ""),
        bring(&service, &response, ""),
        bring(&service, &response, ""),
    );
    let through = [a, b, c]
        .iter()
        .filter(|landed| landed.status == StatusCode::FOUND)
        .count();
    assert_eq!(through, 1);
    // What nobody would accept anymore is forgotten.
    service.pass(Duration::hours(1));
    let mut said = Said::of(&idp, None);
    said.not_on_or_after += Duration::hours(1);
    bring(&service, &idp.response(&said), "")
        .await
        .expect(StatusCode::FOUND);
    let kept = service
        .value("select count(*)::text from auth.saml_assertions")
        .await;
    assert_eq!(kept.as_deref(), Some("1"));
}
