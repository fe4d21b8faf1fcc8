//! German.

use super::{Language, Words};

const CODE: &str = "Oder geben Sie diesen Code ein:";

pub(super) const WORDS: Language = Language {
    tag: "de",
    mails: [
        Words {
            name: "auth-confirmation",
            subject: "Bestätigen Sie Ihre E-Mail-Adresse",
            heading: "Bestätigen Sie Ihre E-Mail-Adresse",
            link: Some((
                "Folgen Sie diesem Link, um {{ Email }} für Ihr Konto bei {{ SiteURL }} zu bestätigen:",
                "Adresse bestätigen",
            )),
            code: CODE,
            surprise: "Wenn Sie sich nicht angemeldet haben, können Sie diese Mail ignorieren.",
        },
        Words {
            name: "auth-email_change",
            subject: "Bestätigen Sie Ihre neue E-Mail-Adresse",
            heading: "Bestätigen Sie Ihre neue E-Mail-Adresse",
            link: Some((
                "Die Adresse Ihres Kontos bei {{ SiteURL }} soll von {{ Email }} zu {{ NewEmail }} \
                 geändert werden. Folgen Sie diesem Link, um zuzustimmen:",
                "Adresse ändern",
            )),
            code: CODE,
            surprise: "Wenn Sie das nicht wollten, ignorieren Sie diese Mail und ändern Sie Ihr Passwort.",
        },
        Words {
            name: "auth-invite",
            subject: "Sie sind eingeladen",
            heading: "Sie sind eingeladen",
            link: Some((
                "Jemand hat {{ Email }} zu {{ SiteURL }} eingeladen. Folgen Sie diesem Link, um anzunehmen:",
                "Einladung annehmen",
            )),
            code: CODE,
            surprise: "Wenn Sie davon nichts wissen, können Sie diese Mail ignorieren.",
        },
        Words {
            name: "auth-magic_link",
            subject: "Ihr Link zur Anmeldung",
            heading: "Anmelden",
            link: Some((
                "Folgen Sie diesem Link, um sich bei {{ SiteURL }} als {{ Email }} anzumelden:",
                "Anmelden",
            )),
            code: CODE,
            surprise: "Wenn Sie das nicht wollten, können Sie diese Mail ignorieren.",
        },
        Words {
            name: "auth-reauthentication",
            subject: "{{ Token }} ist Ihr Bestätigungscode",
            heading: "Bestätigen Sie, dass Sie es sind",
            link: None,
            code: "Geben Sie diesen Code ein, um fortzufahren:",
            surprise: "Wenn Sie das nicht wollten, benutzt vielleicht jemand Ihre Sitzung: Melden Sie sich überall ab.",
        },
        Words {
            name: "auth-recovery",
            subject: "Setzen Sie Ihr Passwort zurück",
            heading: "Setzen Sie Ihr Passwort zurück",
            link: Some((
                "Folgen Sie diesem Link, um ein neues Passwort für {{ Email }} bei {{ SiteURL }} zu wählen:",
                "Neues Passwort wählen",
            )),
            code: CODE,
            surprise: "Wenn Sie das nicht wollten, ignorieren Sie diese Mail; Ihr Passwort bleibt, wie es ist.",
        },
    ],
};
