//! Which preferences were heeded.

use crate::{
    options::Options,
    request::{
        Action, ApiRequest,
        prefer::{Count, Handling, Missing, Representation, Resolution, TransactionEnd},
    },
};

/// The value of `Preference-Applied`, when any preference applies.
pub(super) fn preferences(
    request: &ApiRequest,
    options: &Options,
    can_conflict: bool,
) -> Option<String> {
    let given = &request.preferences;
    let action = request.action;
    let mut applied: Vec<String> = Vec::new();
    let mut add = |text: &str| applied.push(text.to_owned());
    if action == Action::Insert
        && can_conflict
        && let Some(resolution) = given.resolution
    {
        add(match resolution {
            Resolution::MergeDuplicates => "resolution=merge-duplicates",
            Resolution::IgnoreDuplicates => "resolution=ignore-duplicates",
        });
    }
    if matches!(action, Action::Insert | Action::Update)
        && let Some(missing) = given.missing
    {
        add(match missing {
            Missing::Default => "missing=default",
            Missing::Null => "missing=null",
        });
    }
    if action.writes_relation()
        && let Some(representation) = given.representation
    {
        add(match representation {
            Representation::Full => "return=representation",
            Representation::HeadersOnly => "return=headers-only",
            Representation::Minimal => "return=minimal",
        });
    }
    if let Some(count) = given.count {
        add(match count {
            Count::Exact => "count=exact",
            Count::Planned => "count=planned",
            Count::Estimated => "count=estimated",
        });
    }
    if options.tx_override
        && let Some(end) = given.transaction
    {
        add(match end {
            TransactionEnd::Commit => "tx=commit",
            TransactionEnd::Rollback => "tx=rollback",
        });
    }
    if let Some(handling) = given.handling {
        add(match handling {
            Handling::Strict => "handling=strict",
            Handling::Lenient => "handling=lenient",
        });
    }
    if let Some(zone) = &given.timezone {
        add(&format!("timezone={zone}"));
    }
    if let Some(most) = max_affected(request) {
        add(&format!("max-affected={most}"));
    }
    (!applied.is_empty()).then(|| applied.join(", "))
}

/// The most rows that may be affected, where and when that is heeded.
pub(super) fn max_affected(request: &ApiRequest) -> Option<u64> {
    let heeded = matches!(
        request.action,
        Action::Update | Action::Delete | Action::Call(_)
    );
    request
        .preferences
        .max_affected
        .filter(|_| heeded && request.preferences.is_strict())
}
