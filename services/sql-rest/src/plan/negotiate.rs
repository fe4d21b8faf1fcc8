//! Chooses what the answer is, of what the client accepts and what can be made.

use crate::{
    catalog::{Catalog, HandlerTarget, MediaHandler, QualifiedName},
    error::Error,
    media::MediaType,
    options::Options,
    request::{Action, ApiRequest, prefer::Representation},
};

/// How the body is made from the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    Nothing,
    /// A JSON array of all rows, or the value of a function that gives no set.
    Json {
        /// Whether null members are left out.
        stripped: bool,
    },
    /// The one row as a JSON object.
    Singular {
        /// Whether null members are left out.
        stripped: bool,
    },
    /// Comma-separated values.
    Csv,
    /// A `GeoJSON` feature collection.
    GeoJson,
    /// By an aggregate of the database's.
    Aggregate {
        /// The aggregate.
        function: QualifiedName,
        /// The relation whose rows it takes; none for rows of any shape.
        row_of: Option<QualifiedName>,
        /// Whether it gives bytes.
        is_binary: bool,
    },
    /// The result of the function as it is.
    Result {
        /// Whether it is bytes.
        is_binary: bool,
    },
}

/// The answer that was chosen.
pub(super) struct Chosen {
    pub body: Body,
    pub media: MediaType,
}

/// What the answer is made from.
pub(super) struct Producer<'a> {
    pub catalog: &'a Catalog,
    pub options: &'a Options,
    /// The relation, or the function when its result is no relation's row.
    pub target: HandlerTarget,
    /// Whether all columns and nothing else are shown.
    pub shows_everything: bool,
}

impl Producer<'_> {
    /// The first acceptable type that can be made.
    pub(super) fn choose(&self, request: &ApiRequest) -> Result<Chosen, Error> {
        let mut chosen = request
            .accept
            .iter()
            .find_map(|media| self.produce(media))
            .ok_or_else(|| {
                let names = request.accept.iter().map(|media| media.mime().into_owned());
                Error::NotAcceptable(names.collect())
            })?;
        let returns_rows = request.preferences.representation == Some(Representation::Full);
        if request.action.is_head() || request.action.writes_relation() && !returns_rows {
            chosen.body = Body::Nothing;
        }
        Ok(chosen)
    }

    fn produce(&self, media: &MediaType) -> Option<Chosen> {
        let chosen = |body, media: &MediaType| {
            Some(Chosen {
                body,
                media: media.clone(),
            })
        };
        match media {
            MediaType::Singular { stripped } => chosen(
                Body::Singular {
                    stripped: *stripped,
                },
                media,
            ),
            MediaType::ArrayStripped => chosen(Body::Json { stripped: true }, media),
            MediaType::Plan(plan) if self.options.plans => {
                let Chosen { body, .. } = self.produce(&plan.of)?;
                chosen(body, media)
            }
            MediaType::Plan(_) => None,
            _ => self.custom(media).or_else(|| Self::built_in(media)),
        }
    }

    /// By what the database defines; what is nearer to the target comes first.
    fn custom(&self, media: &MediaType) -> Option<Chosen> {
        let of = |target: &HandlerTarget, name: &str| {
            let handlers = self.catalog.media_handlers.get(target)?;
            handlers.iter().find(|handler| handler.media_type == name)
        };
        let asked = media.mime();
        let own = self
            .shows_everything
            .then(|| of(&self.target, "*/*").or_else(|| of(&self.target, &asked)))
            .flatten();
        if let Some(handler) = own {
            return Some(Self::handled(handler, &self.target));
        }
        let general = of(&HandlerTarget::Any, &asked)?;
        Some(Self::handled(general, &HandlerTarget::Any))
    }

    fn handled(handler: &MediaHandler, target: &HandlerTarget) -> Chosen {
        let is_binary = handler.is_binary;
        let body = match &handler.aggregate {
            Some(function) => Body::Aggregate {
                function: function.clone(),
                row_of: match target {
                    HandlerTarget::Relation(name) => Some(name.clone()),
                    HandlerTarget::Any | HandlerTarget::Function(_) => None,
                },
                is_binary,
            },
            None => Body::Result { is_binary },
        };
        Chosen {
            body,
            media: MediaType::parse(&handler.content_type),
        }
    }

    fn built_in(media: &MediaType) -> Option<Chosen> {
        let (body, media) = match media {
            MediaType::Json | MediaType::Any => (Body::Json { stripped: false }, MediaType::Json),
            MediaType::Csv => (Body::Csv, MediaType::Csv),
            MediaType::GeoJson => (Body::GeoJson, MediaType::GeoJson),
            _ => return None,
        };
        Some(Chosen { body, media })
    }
}

/// Whether the root document can be given in a type that is acceptable.
pub(super) fn accepts_document(request: &ApiRequest) -> bool {
    matches!(request.action, Action::Inspect { .. })
        && request
            .accept
            .iter()
            .any(|media| matches!(media, MediaType::OpenApi | MediaType::Json | MediaType::Any))
}
