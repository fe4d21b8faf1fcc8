//! Stored templates.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Store;
use crate::{
    Error,
    render::Source,
    template::{Locale, TemplateName},
};

/// A template.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct Template {
    /// What it is called.
    pub(crate) name: String,
    /// The language it is in, or `default`.
    pub(crate) locale: String,
    /// Template of the subject line.
    pub(crate) subject: String,
    /// Template of the HTML part.
    pub(crate) html: String,
    /// Template of the plain part; derived from the HTML when null.
    pub(crate) text: Option<String>,
    /// When it was last stored; null for a built-in template.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) updated_at: Option<OffsetDateTime>,
}

/// A template in a list.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
pub(crate) struct TemplateSummary {
    /// What it is called.
    pub(crate) name: String,
    /// The language it is in, or `default`.
    pub(crate) locale: String,
    /// When it was last stored; null for a built-in template.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) updated_at: Option<OffsetDateTime>,
}

impl Template {
    /// A template that is not stored.
    pub(crate) fn built_in(name: TemplateName, locale: Locale, source: Source) -> Self {
        Self::new(name.into(), locale.into(), source, None)
    }

    /// What mails are made from.
    pub(crate) fn into_source(self) -> Source {
        Source {
            subject: self.subject,
            html: self.html,
            text: self.text,
        }
    }

    fn new(
        name: String,
        locale: String,
        source: Source,
        updated_at: Option<OffsetDateTime>,
    ) -> Self {
        Self {
            name,
            locale,
            subject: source.subject,
            html: source.html,
            text: source.text,
            updated_at,
        }
    }
}

impl Store {
    /// The stored template in the best of `locales`, which are ordered by preference.
    pub(crate) async fn template(
        &self,
        name: &TemplateName,
        locales: &[String],
    ) -> Result<Option<Template>, Error> {
        const BEST: &str = "
            select name, locale, subject, html, text, updated_at from templates
             where name = $1 and locale = any($2)
             order by array_position($2, locale)
             limit 1";
        let template = sqlx::query_as(BEST)
            .bind(name.as_str())
            .bind(locales)
            .fetch_optional(self.pool())
            .await?;
        Ok(template)
    }

    /// One page of the stored templates and of the `built_in` ones (names and locales) that none
    /// replaces, and how many there are.
    pub(crate) async fn templates(
        &self,
        built_in: &(Vec<&str>, Vec<&str>),
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<TemplateSummary>, i64), Error> {
        const PAGE: &str = "
            with known as (
                select name, locale, updated_at from templates
                union all
                select name, locale, null from unnest($1::text[], $2::text[]) as b (name, locale)
                 where not exists (select from templates t
                                    where t.name = b.name and t.locale = b.locale))
            select name, locale, updated_at from known order by name, locale limit $3 offset $4";
        const COUNT: &str = "
            select count(*) from (
                select name, locale from templates
                union
                select * from unnest($1::text[], $2::text[])) as known";
        let page = sqlx::query_as(PAGE)
            .bind(&built_in.0)
            .bind(&built_in.1)
            .bind(limit)
            .bind(offset)
            .fetch_all(self.pool())
            .await?;
        let total = sqlx::query_scalar(COUNT)
            .bind(&built_in.0)
            .bind(&built_in.1)
            .fetch_one(self.pool())
            .await?;
        Ok((page, total))
    }

    /// Stores a template; tells whether it is new.
    pub(crate) async fn put_template(
        &self,
        name: &TemplateName,
        locale: &Locale,
        source: &Source,
    ) -> Result<(Template, bool), Error> {
        const PUT: &str = "
            insert into templates (name, locale, subject, html, text) values ($1, $2, $3, $4, $5)
            on conflict on constraint templates_pkey
            do update set subject = excluded.subject, html = excluded.html, text = excluded.text,
                          updated_at = now()
            returning updated_at, xmax = 0";
        let (updated_at, is_new): (OffsetDateTime, bool) = sqlx::query_as(PUT)
            .bind(name.as_str())
            .bind(locale.as_str())
            .bind(&source.subject)
            .bind(&source.html)
            .bind(&source.text)
            .fetch_one(self.pool())
            .await?;
        let (name, locale) = (name.as_str().to_owned(), locale.as_str().to_owned());
        let template = Template::new(name, locale, source.clone(), Some(updated_at));
        Ok((template, is_new))
    }

    /// Removes a template; tells whether there was one.
    pub(crate) async fn delete_template(
        &self,
        name: &TemplateName,
        locale: &Locale,
    ) -> Result<bool, Error> {
        let result = sqlx::query("delete from templates where name = $1 and locale = $2")
            .bind(name.as_str())
            .bind(locale.as_str())
            .execute(self.pool())
            .await?;
        Ok(result.rows_affected() > 0)
    }
}
