//! Media types: those a client accepts, sends, and is answered with.

use std::borrow::Cow;

/// A media type, as far as it is told apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaType {
    /// `application/json`.
    Json,
    /// `application/geo+json`.
    GeoJson,
    /// `text/csv`.
    Csv,
    /// `text/plain`.
    Text,
    /// `text/xml`.
    Xml,
    /// `application/openapi+json`.
    OpenApi,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/octet-stream`.
    OctetStream,
    /// `*/*`.
    Any,
    /// `application/vnd.pgrst.array+json;nulls=stripped`.
    ArrayStripped,
    /// `application/vnd.pgrst.object+json`, one row as an object.
    Singular {
        /// Whether null members are left out.
        stripped: bool,
    },
    /// `application/vnd.pgrst.plan`.
    Plan(Box<PlanMedia>),
    /// Any other, without parameters.
    Other(String),
}

/// An execution plan of the statement that would give another media type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlanMedia {
    /// The media type whose statement is explained.
    pub of: MediaType,
    /// How the plan is written.
    pub format: PlanFormat,
    /// What it shows, in the order `EXPLAIN` is given them.
    pub options: Vec<PlanOption>,
}

/// How an execution plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlanFormat {
    /// Indented lines.
    Text,
    /// One JSON document.
    Json,
}

/// An option of `EXPLAIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlanOption {
    /// Run the statement and measure.
    Analyze,
    /// More about every node.
    Verbose,
    /// Settings that differ from their defaults.
    Settings,
    /// Buffer use.
    Buffers,
    /// Write-ahead log use.
    Wal,
}

impl PlanOption {
    const ALL: [Self; 5] = [
        Self::Analyze,
        Self::Verbose,
        Self::Settings,
        Self::Buffers,
        Self::Wal,
    ];

    /// The option's name, in `EXPLAIN` as in the media type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Analyze => "analyze",
            Self::Verbose => "verbose",
            Self::Settings => "settings",
            Self::Buffers => "buffers",
            Self::Wal => "wal",
        }
    }
}

impl PlanFormat {
    /// The format's name, in `EXPLAIN` as in the media type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl MediaType {
    /// Reads one media type with its parameters. Nothing is refused: what is not known is
    /// [`MediaType::Other`].
    pub fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters: Vec<&str> = parts.collect();
        let stripped = parameters.first() == Some(&"nulls=stripped");
        match essence.as_str() {
            "application/json" => Self::Json,
            "application/geo+json" => Self::GeoJson,
            "text/csv" => Self::Csv,
            "text/plain" => Self::Text,
            "text/xml" => Self::Xml,
            "application/openapi+json" => Self::OpenApi,
            "application/x-www-form-urlencoded" => Self::Form,
            "application/octet-stream" => Self::OctetStream,
            "*/*" | "" => Self::Any,
            "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => {
                Self::Singular { stripped }
            }
            "application/vnd.pgrst.array+json" | "application/vnd.pgrst.array" => {
                if stripped {
                    Self::ArrayStripped
                } else {
                    Self::Json
                }
            }
            "application/vnd.pgrst.plan" | "application/vnd.pgrst.plan+text" => {
                PlanMedia::parse(PlanFormat::Text, &parameters)
            }
            "application/vnd.pgrst.plan+json" => PlanMedia::parse(PlanFormat::Json, &parameters),
            _ => Self::Other(essence),
        }
    }

    /// The media type's own text, without `charset`.
    pub fn mime(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Json => "application/json",
            Self::GeoJson => "application/geo+json",
            Self::Csv => "text/csv",
            Self::Text => "text/plain",
            Self::Xml => "text/xml",
            Self::OpenApi => "application/openapi+json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::OctetStream => "application/octet-stream",
            Self::Any => "*/*",
            Self::ArrayStripped => "application/vnd.pgrst.array+json;nulls=stripped",
            Self::Singular { stripped: true } => "application/vnd.pgrst.object+json;nulls=stripped",
            Self::Singular { stripped: false } => "application/vnd.pgrst.object+json",
            Self::Plan(plan) => return Cow::Owned(plan.mime()),
            Self::Other(name) => name,
        })
    }

    /// The value of `Content-Type`.
    pub fn content_type(&self) -> String {
        match self {
            Self::OctetStream | Self::Other(_) => self.mime().into_owned(),
            _ => format!("{}; charset=utf-8", self.mime()),
        }
    }
}

impl PlanMedia {
    fn parse(format: PlanFormat, parameters: &[&str]) -> MediaType {
        let value = |name: &str| {
            parameters
                .iter()
                .find_map(|parameter| parameter.strip_prefix(name))
        };
        let names: Vec<&str> =
            value("options=").map_or_else(Vec::new, |text| text.split('|').collect());
        MediaType::Plan(Box::new(Self {
            of: value("for=").map_or(MediaType::Json, |text| {
                match MediaType::parse(text.trim_matches('"')) {
                    // A plan of a plan would nest without end.
                    MediaType::Plan(inner) => inner.of,
                    other => other,
                }
            }),
            format,
            options: PlanOption::ALL
                .into_iter()
                .filter(|option| names.contains(&option.name()))
                .collect(),
        }))
    }

    fn mime(&self) -> String {
        let names: Vec<&str> = self.options.iter().map(|option| option.name()).collect();
        let options = if names.is_empty() {
            String::new()
        } else {
            format!("; options={}", names.join("|"))
        };
        format!(
            "application/vnd.pgrst.plan+{}; for=\"{}\"{options}",
            self.format.name(),
            self.of.mime()
        )
    }
}
