use super::*;

fn json(error: &Error) -> String {
    error.body().to_json(Verbosity::Verbose)
}

fn database(sqlstate: &str, message: &str) -> DatabaseError {
    DatabaseError::new(sqlstate, message, None, None, true)
}

#[test]
fn an_error_is_written_compactly_with_its_keys_in_order() {
    let error = Error::NoRelation {
        schema: "api".into(),
        name: "film".into(),
        similar: Some("films".into()),
    };
    assert_eq!(
        json(&error),
        r#"{"code":"PGRST205","details":null,"hint":"Perhaps you meant the table 'api.films'","message":"Could not find the table 'api.film' in the schema cache"}"#
    );
    assert_eq!(
        error.body().to_json(Verbosity::Minimal),
        r#"{"code":"PGRST205","message":"Could not find the table 'api.film' in the schema cache"}"#
    );
}

#[test]
fn missing_rights_are_a_401_to_the_anonymous_and_a_403_to_others() {
    let refused =
        |authenticated| DatabaseError::new("42501", "permission denied", None, None, authenticated);
    assert_eq!(refused(true).status(), StatusCode::FORBIDDEN);
    assert_eq!(refused(false).status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        refused(false).headers(),
        [("WWW-Authenticate".to_owned(), "Bearer".to_owned())]
    );
}

#[test]
fn every_sqlstate_has_its_status() {
    let table = [
        ("08006", 503),
        ("09000", 500),
        ("0LP01", 403),
        ("0P000", 403),
        ("28000", 403),
        ("23503", 409),
        ("23505", 409),
        ("23502", 400),
        ("25006", 405),
        ("25P02", 500),
        ("21000", 500),
        ("22023", 400),
        ("2D000", 500),
        ("38000", 500),
        ("39000", 500),
        ("3B000", 500),
        ("40001", 500),
        ("53400", 500),
        ("53300", 503),
        ("54000", 500),
        ("55000", 500),
        ("57P01", 503),
        ("57014", 500),
        ("58000", 500),
        ("F0000", 500),
        ("HV000", 500),
        ("P0001", 400),
        ("P0002", 500),
        ("XX000", 500),
        ("42883", 404),
        ("42P01", 404),
        ("42P17", 500),
        ("22P02", 400),
        ("42703", 400),
        ("PT418", 418),
        ("PTxyz", 500),
        ("PT101", 500),
    ];
    for (state, status) in table {
        assert_eq!(database(state, "").status().as_u16(), status, "{state}");
    }
}

#[test]
fn some_messages_change_the_status_of_their_state() {
    let table = [
        ("21000", "DELETE requires a WHERE clause", 400),
        ("22023", r#"role "ghost" does not exist"#, 401),
        ("42883", "function xmlagg(integer) does not exist", 406),
    ];
    for (state, message, status) in table {
        assert_eq!(database(state, message).status().as_u16(), status);
    }
}

#[test]
fn a_custom_state_makes_its_message_the_reason() {
    assert_eq!(database("PT402", "Pay first").reason(), Some("Pay first"));
    assert_eq!(database("P0001", "Pay first").reason(), None);
}

#[test]
fn a_function_can_dictate_the_whole_answer() {
    let error = Error::from(DatabaseError::new(
        "PGRST",
        r#"{"code":"123","message":"ABC","details":"DEF","hint":"XYZ"}"#,
        Some(r#"{"status":332,"status_text":"My Status","headers":{"X-Header":"str"}}"#),
        None,
        true,
    ));
    assert_eq!(error.status().as_u16(), 332);
    assert_eq!(error.reason(), Some("My Status"));
    assert_eq!(error.headers(), [("X-Header".to_owned(), "str".to_owned())]);
    assert_eq!(
        json(&error),
        r#"{"code":"123","details":"DEF","hint":"XYZ","message":"ABC"}"#
    );
}

#[test]
fn a_malformed_dictate_is_explained() {
    let raise =
        |message, detail| Error::from(DatabaseError::new("PGRST", message, detail, None, true));
    let good = r#"{"code":"123","message":"ABC"}"#;
    for (error, details) in [
        (
            raise("INVALID", None),
            "Invalid JSON value for MESSAGE: 'INVALID'",
        ),
        (
            raise(good, Some("INVALID")),
            "Invalid JSON value for DETAIL: 'INVALID'",
        ),
        (
            raise(good, Some(r#"{"status":101,"headers":{}}"#)),
            r#"Invalid JSON value for DETAIL: '{"status":101,"headers":{}}'"#,
        ),
        (
            raise(good, None),
            "DETAIL is missing in the RAISE statement",
        ),
    ] {
        assert_eq!(error.status().as_u16(), 500);
        assert_eq!(error.code(), "PGRST121");
        assert_eq!(error.details(), Some(Details::Text(details.into())));
    }
}

#[test]
fn a_bad_token_is_challenged() {
    let error = Error::from(JwtError::Expired);
    assert_eq!(error.code(), "PGRST303");
    assert_eq!(
        error.headers(),
        [(
            "WWW-Authenticate".to_owned(),
            r#"Bearer error="invalid_token", error_description="JWT expired""#.to_owned()
        )]
    );
    assert!(Error::from(JwtError::NoSecret).headers().is_empty());
}

#[test]
fn a_missing_function_is_described_by_what_was_searched() {
    let searched = |arguments: &[&str], single| {
        Error::NoFunction(Box::new(NoFunction {
            schema: "test".into(),
            name: "sayhello".into(),
            arguments: arguments.iter().map(|name| (*name).to_owned()).collect(),
            single,
            similar: None,
        }))
    };
    let both = searched(&["any_arg", "b"], SingleParameter::Json);
    assert_eq!(
        both.message(),
        "Could not find the function test.sayhello(any_arg, b) in the schema cache"
    );
    assert_eq!(
        both.details(),
        Some(Details::Text(
            "Searched for the function test.sayhello with parameters any_arg, b or with a single \
             unnamed json/jsonb parameter, but no matches were found in the schema cache."
                .into()
        ))
    );
    let none = searched(&[], SingleParameter::NotConsidered);
    assert_eq!(
        none.message(),
        "Could not find the function test.sayhello without parameters in the schema cache"
    );
    let raw = searched(&[], SingleParameter::Only("bytea"));
    assert_eq!(
        raw.message(),
        "Could not find the function test.sayhello in the schema cache"
    );
}

#[test]
fn an_ambiguous_relationship_lists_its_candidates() {
    let error = Error::AmbiguousRelationship {
        origin: "sites".into(),
        target: "big_projects".into(),
        candidates: vec![Candidate {
            cardinality: "many-to-one",
            embedding: "sites with big_projects".into(),
            relationship:
                "main_project using sites(main_project_id) and big_projects(big_project_id)".into(),
        }],
        alternatives: vec!["big_projects!main_project".into()],
    };
    assert_eq!(error.status().as_u16(), 300);
    assert_eq!(
        json(&error),
        r#"{"code":"PGRST201","details":[{"cardinality":"many-to-one","embedding":"sites with big_projects","relationship":"main_project using sites(main_project_id) and big_projects(big_project_id)"}],"hint":"Try changing 'big_projects' to one of the following: 'big_projects!main_project'. Find the desired relationship in the 'details' key.","message":"Could not embed because more than one relationship was found for 'sites' and 'big_projects'"}"#
    );
}
