//! Accepting mail: who may send what, made from which template, stored for the workers.

use std::sync::Arc;

use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    Error, builtin,
    mail::Content,
    mailbox::Mailbox,
    mime,
    render::Source,
    request::{IdempotencyKey, Origin, SendMail},
    sender::{Quota, Sender, UserPolicy},
    store::{NewMessage, Store, Template},
    template::{Locale, TemplateName},
};

/// Mails accepted, by kind of `sender`.
const ACCEPTED: &str = "email_accepted_total";

/// The counter where mail is handed in. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) store: Store,
    pub(crate) policy: Arc<UserPolicy>,
    pub(crate) quota: Quota,
    pub(crate) from: Mailbox,
    /// Wakes a worker of this process.
    pub(crate) bell: Arc<Notify>,
}

impl Post {
    /// Stores a mail for the workers and gives its id.
    ///
    /// Everything that can be wrong with it is found here, while its sender still listens.
    pub(crate) async fn accept(&self, sender: &Sender, request: SendMail) -> Result<Uuid, Error> {
        let fingerprint = request
            .fingerprint()
            .map_err(|error| Error::Assembly(error.into()))?;
        let key = request.idempotency_key.clone();
        if let Some(key) = &key
            && let Some(id) = self
                .store
                .earlier(sender.user_id(), key.as_str(), &fingerprint)
                .await?
        {
            return Ok(id);
        }
        let content = self.content(sender, &request).await?;
        let template = request.template.clone();
        let mail = request.into_mail(content);
        mail.validate()?;
        self.policy.permit(sender, &mail.recipients())?;
        mime::write(
            &mail,
            &self.from,
            Uuid::nil(),
            time::OffsetDateTime::UNIX_EPOCH,
        )?;
        let new = NewMessage {
            sender: sender.user_id(),
            idempotency_key: key.as_ref().map(IdempotencyKey::as_str),
            fingerprint,
            template: template.as_ref().map(TemplateName::as_str),
            mail: &mail,
        };
        let id = self.store.accept(&new, self.quota).await?;
        let kind = match sender {
            Sender::Service => "service",
            Sender::User { .. } => "user",
        };
        metrics::counter!(ACCEPTED, "sender" => kind).increment(1);
        self.ring();
        Ok(id)
    }

    /// Tells a worker that there is something to do.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// The template that a reader of `locale` gets.
    pub(crate) async fn template(
        &self,
        name: &TemplateName,
        locale: &Locale,
    ) -> Result<Source, Error> {
        let wanted = locale.fallbacks();
        let stored = self.store.template(name, &wanted).await?;
        stored
            .map(Template::into_source)
            .or_else(|| {
                let mut tags = wanted.iter();
                tags.find_map(|tag| builtin::find(name.as_str(), tag))
            })
            .ok_or(Error::TemplateNotFound)
    }

    async fn content(&self, sender: &Sender, request: &SendMail) -> Result<Content, Error> {
        match request.origin()? {
            Origin::Given(content) => Ok(content),
            Origin::Template(name, locale) => {
                // In a user's hands the mails that auth sends would be bait.
                let is_reserved = name.as_str().starts_with(builtin::PREFIX);
                if is_reserved && sender.user_id().is_some() {
                    return Err(Error::TemplateNotAllowed);
                }
                let mut source = self.template(&name, &locale).await?;
                if let Some(subject) = &request.subject {
                    source.subject.clone_from(subject);
                }
                Ok(source.render(&request.variables)?)
            }
        }
    }
}
