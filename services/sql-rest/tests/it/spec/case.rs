//! Requests in tables, with what each must be answered with.

use super::*;

/// A request, and what it must be answered with.
pub(super) struct Case {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    status: u16,
    answer: Option<Answer>,
    carried: Vec<(&'static str, &'static str)>,
    missing: Vec<&'static str>,
}

enum Answer {
    Json(Value),
    Text(String),
    Refusal(Value, Value),
}

/// A request that must be answered with `status`.
pub(super) fn case(method: Method, path: &str, status: u16) -> Case {
    Case {
        method,
        path: path.to_owned(),
        headers: Vec::new(),
        body: String::new(),
        status,
        answer: None,
        carried: Vec::new(),
        missing: Vec::new(),
    }
}

/// A read or call by GET.
pub(super) fn get(path: &str, status: u16) -> Case {
    case(Method::GET, path, status)
}

/// An insert or call by POST.
pub(super) fn post(path: &str, body: &Value, status: u16) -> Case {
    case(Method::POST, path, status).body(body)
}

/// An update.
pub(super) fn patch(path: &str, body: &Value, status: u16) -> Case {
    case(Method::PATCH, path, status).body(body)
}

/// A delete.
pub(super) fn delete(path: &str, status: u16) -> Case {
    case(Method::DELETE, path, status)
}

impl Case {
    /// The body sent.
    pub(super) fn body(mut self, body: &(impl ToString + ?Sized)) -> Self {
        self.body = body.to_string();
        self
    }

    /// A header sent.
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// A `Prefer` header sent.
    pub(super) fn prefer(self, preference: &str) -> Self {
        self.header("prefer", preference)
    }

    /// Asks for the rows written, which must be these.
    pub(super) fn rows(self, rows: Value) -> Self {
        self.prefer("return=representation").json(rows)
    }

    /// The answer must be this JSON.
    pub(super) fn json(mut self, json: Value) -> Self {
        self.answer = Some(Answer::Json(json));
        self
    }

    /// The answer must be exactly this.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.answer = Some(Answer::Text(text.to_owned()));
        self
    }

    /// The answer must have no body and no type.
    pub(super) fn nothing(self) -> Self {
        self.text("").lacks("content-type")
    }

    /// The answer must be this error.
    pub(super) fn refused(mut self, code: &str, message: &str) -> Self {
        self.answer = Some(Answer::Refusal(json!(code), json!(message)));
        self
    }

    /// The answer must have this header.
    pub(super) fn carries(mut self, name: &'static str, value: &'static str) -> Self {
        self.carried.push((name, value));
        self
    }

    /// The answer must not have this header.
    pub(super) fn lacks(mut self, name: &'static str) -> Self {
        self.missing.push(name);
        self
    }

    fn check(&self, response: &Response) {
        let told = format!("{} {} {}", self.method, self.path, self.body);
        let text = response.text();
        assert_eq!(response.status.as_u16(), self.status, "{told}: {text}");
        match &self.answer {
            None => {}
            Some(Answer::Json(json)) => assert_eq!(&response.json(), json, "{told}: {text}"),
            Some(Answer::Text(expected)) => assert_eq!(&text, expected, "{told}"),
            Some(Answer::Refusal(code, message)) => {
                let json = response.json();
                assert_eq!((&json["code"], &json["message"]), (code, message), "{told}");
            }
        }
        for (name, value) in &self.carried {
            let values: Vec<_> = response.headers.get_all(*name).iter().collect();
            assert!(
                values.iter().any(|found| found == value),
                "{told}: {name}: {values:?}"
            );
        }
        for name in &self.missing {
            let found = response.headers.get(*name);
            assert_eq!(found, None, "{told}: {name}");
        }
    }
}

impl Spec {
    /// Sends the requests one after the other and checks the answers.
    pub(super) fn check(&self, cases: impl IntoIterator<Item = Case>) -> impl Future<Output = ()> {
        let cases: Vec<Case> = cases.into_iter().collect();
        async move {
            for case in &cases {
                let headers: Vec<(&str, &str)> = case
                    .headers
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                let sent = self.send(case.method.clone(), &case.path, &headers, &case.body);
                case.check(&sent.await);
            }
        }
    }
}
