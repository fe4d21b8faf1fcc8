//! Templates: stored, previewed, sent.

use http::StatusCode;
use serde_json::{Value, json};
use testkit::{client::Response, smtp::Sink};

use crate::support::{Mailer, as_service, mailer, read, refused};

async fn put(mailer: &Mailer, path: &str, body: &Value) -> Response {
    as_service(mailer.client.put(path)).json(body).send().await
}

async fn get(mailer: &Mailer, path: &str) -> Response {
    as_service(mailer.client.get(path)).send().await
}

async fn preview(mailer: &Mailer, name: &str, body: &Value) -> Response {
    mailer
        .post(&format!("/templates/{name}/preview"), body)
        .send()
        .await
}

fn auth_variables() -> Value {
    json!({
        "SiteURL": "https://app.example",
        "ConfirmationURL": "https://api.example/auth/v1/verify?token=abc&type=signup",
        "Email": "ada@example.com",
        "NewEmail": "lovelace@example.com",
        "Token": "123456",
        "TokenHash": "abc",
        "RedirectTo": "",
        "Data": {"name": "Ada"},
    })
}

#[tokio::test]
async fn a_template_is_stored_changed_and_removed() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let path = "/templates/welcome/default";
    assert_eq!(
        refused(get(&mailer, path).await, StatusCode::NOT_FOUND),
        "template_not_found"
    );

    let body = json!({"subject": "Welcome", "html": "<p>Hi {{ name }}</p>"});
    let stored = put(&mailer, path, &body)
        .await
        .expect(StatusCode::CREATED)
        .json();
    assert_eq!(stored["data"]["html"], body["html"]);
    let changed = json!({"subject": "Welcome!", "html": "<p>Hi</p>", "text": "Hi"});
    put(&mailer, path, &changed).await.expect(StatusCode::OK);
    let read = get(&mailer, path).await.expect(StatusCode::OK).json();
    assert_eq!(read["data"]["subject"], "Welcome!");
    assert_eq!(read["data"]["text"], "Hi");

    let delete = || as_service(mailer.client.delete(path));
    delete().send().await.expect(StatusCode::OK);
    assert_eq!(
        refused(delete().send().await, StatusCode::NOT_FOUND),
        "template_not_found"
    );
}

#[tokio::test]
async fn templates_are_listed_with_the_built_in_ones() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let body = json!({"subject": "s", "html": "h"});
    put(&mailer, "/templates/auth-invite/default", &body)
        .await
        .expect(StatusCode::CREATED);
    put(&mailer, "/templates/auth-invite/de", &body)
        .await
        .expect(StatusCode::CREATED);
    put(&mailer, "/templates/welcome/en-gb", &body)
        .await
        .expect(StatusCode::CREATED);
    let list = get(&mailer, "/templates?limit=100")
        .await
        .expect(StatusCode::OK)
        .json();
    let names: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|template| {
            let kind = if template["updated_at"].is_null() {
                "built in"
            } else {
                "stored"
            };
            let (name, locale) = (&template["name"], &template["locale"]);
            format!(
                "{} {} {kind}",
                name.as_str().unwrap(),
                locale.as_str().unwrap()
            )
        })
        .collect();
    let invitations: Vec<_> = names
        .iter()
        .filter(|name| name.starts_with("auth-invite"))
        .collect();
    assert_eq!(
        invitations,
        [
            "auth-invite de stored",
            "auth-invite default stored",
            "auth-invite es built in",
            "auth-invite fr built in",
        ]
    );
    assert!(names.contains(&"auth-recovery de built in".to_owned()));
    assert!(names.contains(&"welcome en-GB stored".to_owned()));
    assert_eq!(names.len(), 25, "{names:?}");
    assert_eq!(list["meta"]["pagination"]["total"], 25);
}

#[tokio::test]
async fn a_mail_is_made_from_a_template() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let body = json!({"subject": "Hi {{ name }}", "html": "<p>Hi <b>{{ name }}</b></p>"});
    put(&mailer, "/templates/hi/default", &body)
        .await
        .expect(StatusCode::CREATED);
    let name = "<script>\"A&B\"</script>";
    let id = mailer
        .send(&json!({"to": "ada@example.com", "template": "hi", "variables": {"name": name}}))
        .await;
    let mails = sink.delivered(1).await;
    let message = read(&mails[0]);
    assert_eq!(message.subject(), Some(format!("Hi {name}").as_str()));
    let html = message.body_html(0).unwrap().into_owned();
    assert!(html.contains("&lt;script&gt;&quot;A&amp;B&quot;"), "{html}");
    let text = message.body_text(0).unwrap();
    assert_eq!(text.trim(), format!("Hi {name}"));
    assert_eq!(mailer.message(&id).await["template"], "hi");
}

#[tokio::test]
async fn a_reader_gets_the_best_language() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    for locale in ["default", "en", "de-AT"] {
        let body = json!({"subject": locale, "html": "h"});
        put(&mailer, &format!("/templates/hi/{locale}"), &body)
            .await
            .expect(StatusCode::CREATED);
    }
    for (asked, given) in [
        (json!("en-GB"), "en"),
        (json!("de-at"), "de-AT"),
        (json!("de"), "default"),
        (json!("fr-CA"), "default"),
        (json!(null), "default"),
    ] {
        let shown = preview(&mailer, "hi", &json!({ "locale": asked })).await;
        assert_eq!(
            shown.expect(StatusCode::OK).json()["data"]["subject"],
            given,
            "{asked}"
        );
    }
    let body = json!({"subject": "Einladung", "html": "h"});
    put(&mailer, "/templates/auth-invite/de", &body)
        .await
        .expect(StatusCode::CREATED);
    let shown = preview(
        &mailer,
        "auth-invite",
        &json!({"locale": "pt", "variables": auth_variables()}),
    )
    .await;
    let subject = shown.expect(StatusCode::OK).json()["data"]["subject"].clone();
    assert_eq!(subject, "You have been invited");
}

#[tokio::test]
async fn the_mails_of_auth_speak_the_readers_language() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    for (count, (locale, subject)) in [
        (json!("de-AT"), "Setzen Sie Ihr Passwort zurück"),
        (json!("fr"), "Réinitialisez votre mot de passe"),
        (json!("ja"), "Reset your password"),
        (json!(null), "Reset your password"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({
            "to": "ada@example.com",
            "template": "auth-recovery",
            "locale": locale,
            "variables": auth_variables(),
        });
        mailer.send(&body).await;
        let mails = sink.delivered(count + 1).await;
        assert_eq!(read(&mails[count]).subject(), Some(subject));
    }
}

#[tokio::test]
async fn a_subject_of_the_callers_stands_in_for_the_templates() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let body = json!({
        "to": "ada@example.com",
        "template": "auth-recovery",
        "subject": "Hello {{ .Email }}",
        "variables": auth_variables(),
    });
    mailer.send(&body).await;
    let mails = sink.delivered(1).await;
    assert_eq!(read(&mails[0]).subject(), Some("Hello ada@example.com"));
}

#[tokio::test]
async fn missing_variables_and_mistakes_are_told() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let body =
        json!({"to": "ada@example.com", "template": "auth-recovery", "variables": {"Token": "1"}});
    let response = mailer.post("/send", &body).send().await;
    let message = response.json()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        message.contains("ConfirmationURL, Email, SiteURL"),
        "{message}"
    );
    assert_eq!(
        refused(response, StatusCode::UNPROCESSABLE_ENTITY),
        "missing_variables"
    );

    let deep = format!("{{{{ name{} }}}}", ".a".repeat(30_000));
    for html in ["<p>{{ name", "<p>\0</p>", "{{ name * 9 }}", &deep] {
        let broken = json!({"subject": "s", "html": html});
        let response = put(&mailer, "/templates/hi/default", &broken).await;
        assert_eq!(
            refused(response, StatusCode::UNPROCESSABLE_ENTITY),
            "template_invalid"
        );
    }
    let endless = "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}";
    let draft = json!({"draft": {"subject": "s", "html": endless}});
    let response = preview(&mailer, "hi", &draft).await;
    assert_eq!(
        refused(response, StatusCode::UNPROCESSABLE_ENTITY),
        "template_failed"
    );
    let large = json!({"subject": "s", "html": "x".repeat(70_000)});
    let response = put(&mailer, "/templates/hi/default", &large).await;
    assert_eq!(
        refused(response, StatusCode::PAYLOAD_TOO_LARGE),
        "payload_too_large"
    );
    let response = put(
        &mailer,
        "/templates/Hi!/default",
        &json!({"subject": "s", "html": "h"}),
    )
    .await;
    assert_eq!(refused(response, StatusCode::BAD_REQUEST), "invalid_path");
}

#[tokio::test]
async fn a_draft_is_previewed_without_being_stored() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let body = json!({
        "variables": {"name": "Ada"},
        "draft": {"subject": "Hi {{ .name }}", "html": "<p>Hi {{ .name }}</p>"},
    });
    let shown = preview(&mailer, "hi", &body)
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(
        shown["data"],
        json!({"subject": "Hi Ada", "html": "<p>Hi Ada</p>", "text": "Hi Ada"})
    );
    assert_eq!(
        get(&mailer, "/templates/hi/default").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_mails_of_auth_can_be_sent_and_replaced() {
    let sink = Sink::start().await;
    let mailer = mailer(&sink).await;
    let names = [
        "auth-confirmation",
        "auth-recovery",
        "auth-magic_link",
        "auth-invite",
        "auth-email_change",
        "auth-reauthentication",
    ];
    for (count, name) in names.into_iter().enumerate() {
        let body =
            json!({"to": "ada@example.com", "template": name, "variables": auth_variables()});
        mailer.send(&body).await;
        let mails = sink.delivered(count + 1).await;
        let text = read(&mails[count]).body_text(0).unwrap().into_owned();
        assert!(text.contains("123456"), "{name}: {text}");
    }
    let own = json!({"subject": "Ours", "html": "<a href=\"{{ .ConfirmationURL }}\">{{ .Data.name }}</a>"});
    put(&mailer, "/templates/auth-confirmation/default", &own)
        .await
        .expect(StatusCode::CREATED);
    let body = json!({"to": "ada@example.com", "template": "auth-confirmation", "variables": auth_variables()});
    mailer.send(&body).await;
    let mails = sink.delivered(names.len() + 1).await;
    let html = read(&mails[names.len()]).body_html(0).unwrap().into_owned();
    assert_eq!(
        html.trim(),
        "<a href=\"https://api.example/auth/v1/verify?token=abc&amp;type=signup\">Ada</a>"
    );
    as_service(mailer.client.delete("/templates/auth-confirmation/default"))
        .send()
        .await
        .expect(StatusCode::OK);
    let shown = get(&mailer, "/templates/auth-confirmation/default")
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        shown.json()["data"]["subject"],
        "Confirm your e-mail address"
    );
}
