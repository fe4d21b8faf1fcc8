//! The sentences of an error: message, details and hint.

use super::{
    Details, Error, NoFunction, NoRelationship, NotEmbedded, RaiseError, RangeError,
    SingleParameter,
};

impl Error {
    /// What happened.
    pub fn message(&self) -> String {
        match self {
            Self::Connection(_) => "Database connection error.".into(),
            Self::Client(_) => "Database client error. Retrying the connection.".into(),
            Self::NoSchemaCache => {
                "Could not query the database for the schema cache. Retrying.".into()
            }
            Self::PoolTimeout => "Timed out acquiring connection from connection pool.".into(),
            Self::Jwt(error) => error.to_string(),
            Self::Database(error) => error.message().to_owned(),
            Self::Internal(message) => message.clone(),
            Self::NoRelationship(_)
            | Self::AmbiguousRelationship { .. }
            | Self::NoFunction(_)
            | Self::AmbiguousFunction(_)
            | Self::NoColumn { .. }
            | Self::NoRelation { .. }
            | Self::UndefinedColumn { .. }
            | Self::UndefinedConflictColumn(_) => self.catalog_message(),
            _ => self.request_message(),
        }
    }

    /// More about this case.
    pub(super) fn details(&self) -> Option<Details> {
        let text = match self {
            Self::AmbiguousRelationship { candidates, .. } => {
                return Some(Details::Candidates(candidates.clone()));
            }
            Self::Connection(cause) | Self::Client(cause) => cause.clone(),
            Self::Syntax { details, .. } | Self::NotImplemented(details) => details.clone(),
            Self::Range(error) => error.details(),
            Self::NotEmbedded(NotEmbedded::Aliased { .. }) => {
                "Target names are not allowed in filters if they have an alias".into()
            }
            Self::Singular(rows) => format!("The result contains {rows} rows"),
            Self::RelatedOrder { origin, target } => format!(
                "'{origin}' and '{target}' do not form a many-to-one or one-to-one relationship"
            ),
            Self::EmbedFilter(_) => {
                "Only is null or not is null filters are allowed on embedded resources".into()
            }
            Self::Raise(error) => error.details(),
            Self::Preferences(names) => format!("Invalid preferences: {}", names.join(", ")),
            Self::MaxAffected(rows) => format!("The query affects {rows} rows"),
            Self::NoRelationship(searched) => searched.details(),
            Self::NoFunction(searched) => searched.details(),
            Self::Jwt(error) => error.details()?.to_owned(),
            Self::Database(error) => error.details()?.to_owned(),
            _ => return None,
        };
        Some(Details::Text(text))
    }

    /// What to try.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Schema { exposed, .. } => Some(format!(
                "Only the following schemas are exposed: {}",
                exposed.join(", ")
            )),
            Self::NotEmbedded(NotEmbedded::Unknown(name)) => Some(format!(
                "Verify that '{name}' is included in the 'select' query parameter."
            )),
            Self::NotEmbedded(NotEmbedded::Aliased { target, alias }) => Some(format!(
                "Change '{target}' to '{alias}' in filters, orders or limits."
            )),
            Self::Raise(error) => Some(error.hint().to_owned()),
            Self::NoRelationship(searched) => searched.hint.clone(),
            Self::AmbiguousRelationship {
                target,
                alternatives,
                ..
            } => Some(try_one_of(target, alternatives)),
            Self::NoFunction(searched) => searched
                .similar
                .as_ref()
                .map(|similar| format!("Perhaps you meant to call the function {similar}")),
            Self::AmbiguousFunction(_) => Some(
                "Try renaming the parameters or the function itself in the database so function \
                 overloading can be resolved"
                    .into(),
            ),
            Self::NoRelation {
                schema, similar, ..
            } => similar
                .as_ref()
                .map(|similar| format!("Perhaps you meant the table '{schema}.{similar}'")),
            Self::UndefinedColumn {
                relation, similar, ..
            } => similar.as_ref().map(|similar| {
                format!(r#"Perhaps you meant to reference the column "{relation}.{similar}"."#)
            }),
            Self::Database(error) => error.hint().map(str::to_owned),
            _ => None,
        }
    }

    fn request_message(&self) -> String {
        match self {
            Self::Syntax { message, .. } | Self::InvalidBody(message) => message.clone(),
            Self::RpcMethod(method) => format!("Cannot use the {method} method on RPC"),
            Self::Method(method) => format!("Unsupported HTTP method: {method}"),
            Self::Schema { asked, .. } => format!("Invalid schema: {asked}"),
            Self::NotAcceptable(types) => format!(
                "None of these media types are available: {}",
                types.join(", ")
            ),
            Self::NotEmbedded(
                NotEmbedded::Unknown(name) | NotEmbedded::Aliased { target: name, .. },
            ) => format!("'{name}' is not an embedded resource in this request"),
            Self::RelatedOrder { target, .. } => {
                format!("A related order on '{target}' is not possible")
            }
            Self::EmbedFilter(target) => {
                format!("Bad operator on the '{target}' embedded resource")
            }
            _ => self.fixed_message().to_owned(),
        }
    }

    fn fixed_message(&self) -> &'static str {
        match self {
            Self::Range(_) => "Requested range not satisfiable",
            Self::PutFilters => {
                "Filters must include all and only primary key columns with 'eq' operators"
            }
            Self::GucHeaders => {
                "response.headers guc must be a JSON array composed of objects with a single key \
                 and a string value"
            }
            Self::GucStatus => "response.status guc must be a valid status code",
            Self::PutRange => "limit/offset querystring parameters are not allowed for PUT",
            Self::PutKey => "Payload values do not match URL in primary key column(s)",
            Self::Singular(_) => "Cannot coerce the result to a single JSON object",
            Self::Raise(_) => r#"Could not parse JSON in the "RAISE SQLSTATE 'PGRST'" error"#,
            Self::Preferences(_) => "Invalid preferences given with handling=strict",
            Self::AggregatesDisabled => "Use of aggregate functions is not allowed",
            Self::MaxAffected(_) => "Query result exceeds max-affected preference constraint",
            Self::Path => "Invalid path specified in request URL",
            Self::RootDisabled => "Root endpoint metadata is disabled",
            Self::NotImplemented(_) => "Feature not implemented",
            Self::MaxAffectedRpc => {
                "Function must return SETOF or TABLE when max-affected preference is used with \
                 handling=strict"
            }
            _ => "",
        }
    }

    fn catalog_message(&self) -> String {
        match self {
            Self::NoRelationship(searched) => format!(
                "Could not find a relationship between '{}' and '{}' in the schema cache",
                searched.origin, searched.target
            ),
            Self::AmbiguousRelationship { origin, target, .. } => format!(
                "Could not embed because more than one relationship was found for '{origin}' and \
                 '{target}'"
            ),
            Self::NoFunction(searched) => searched.message(),
            Self::AmbiguousFunction(candidates) => format!(
                "Could not choose the best candidate function between: {}",
                candidates.join(", ")
            ),
            Self::NoColumn { relation, column } => {
                format!("Could not find the '{column}' column of '{relation}' in the schema cache")
            }
            Self::NoRelation { schema, name, .. } => {
                format!("Could not find the table '{schema}.{name}' in the schema cache")
            }
            Self::UndefinedColumn {
                relation, column, ..
            } => format!("column {relation}.{column} does not exist"),
            Self::UndefinedConflictColumn(column) => {
                format!(r#"column "{column}" does not exist"#)
            }
            _ => String::new(),
        }
    }
}

impl RangeError {
    fn details(&self) -> String {
        match self {
            Self::NegativeLimit => "Limit should be greater than or equal to zero.".into(),
            Self::LowerAboveUpper => {
                "The lower boundary must be lower than or equal to the upper boundary in the Range \
                 header."
                    .into()
            }
            Self::OutOfBounds { offset, total } => {
                format!("An offset of {offset} was requested, but there are only {total} rows.")
            }
        }
    }
}

impl RaiseError {
    fn details(&self) -> String {
        match self {
            Self::Message(found) => format!("Invalid JSON value for MESSAGE: '{found}'"),
            Self::Detail(found) => format!("Invalid JSON value for DETAIL: '{found}'"),
            Self::NoDetail => "DETAIL is missing in the RAISE statement".into(),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Message(_) => {
                "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional \
                 keys: 'details', 'hint'."
            }
            Self::Detail(_) | Self::NoDetail => {
                "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and \
                 optional key: 'status_text'."
            }
        }
    }
}

impl NoRelationship {
    fn details(&self) -> String {
        let using = self
            .using
            .as_ref()
            .map_or_else(String::new, |hint| format!("' using the hint '{hint}"));
        format!(
            "Searched for a foreign key relationship between '{}' and '{}{using}' in the schema \
             '{}', but no matches were found.",
            self.origin, self.target, self.schema
        )
    }
}

impl NoFunction {
    fn message(&self) -> String {
        let arguments = match (self.single, self.arguments.as_slice()) {
            (SingleParameter::Only(_), _) => String::new(),
            (_, []) => " without parameters".into(),
            (_, names) => format!("({})", names.join(", ")),
        };
        format!(
            "Could not find the function {}.{}{arguments} in the schema cache",
            self.schema, self.name
        )
    }

    fn details(&self) -> String {
        let named = match self.arguments.as_slice() {
            [] => " without parameters".into(),
            [name] => format!(" with parameter {name}"),
            names => format!(" with parameters {}", names.join(", ")),
        };
        let searched = match self.single {
            SingleParameter::NotConsidered => named,
            SingleParameter::Json => {
                format!("{named} or with a single unnamed json/jsonb parameter")
            }
            SingleParameter::Only(data_type) => {
                format!(" with a single unnamed {data_type} parameter")
            }
        };
        format!(
            "Searched for the function {}.{}{searched}, but no matches were found in the schema \
             cache.",
            self.schema, self.name
        )
    }
}

fn try_one_of(target: &str, alternatives: &[String]) -> String {
    let quoted: Vec<String> = alternatives
        .iter()
        .map(|name| format!("'{name}'"))
        .collect();
    format!(
        "Try changing '{target}' to one of the following: {}. Find the desired relationship in the \
         'details' key.",
        quoted.join(", ")
    )
}
