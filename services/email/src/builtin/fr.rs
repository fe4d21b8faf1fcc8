//! French.

use super::{Language, Words};

const CODE: &str = "Ou saisissez ce code :";

pub(super) const WORDS: Language = Language {
    tag: "fr",
    mails: [
        Words {
            name: "auth-confirmation",
            subject: "Confirmez votre adresse e-mail",
            heading: "Confirmez votre adresse e-mail",
            link: Some((
                "Suivez ce lien pour confirmer {{ Email }} pour votre compte sur {{ SiteURL }} :",
                "Confirmer mon adresse",
            )),
            code: CODE,
            surprise: "Si vous ne vous êtes pas inscrit, ignorez ce message.",
        },
        Words {
            name: "auth-email_change",
            subject: "Confirmez votre nouvelle adresse e-mail",
            heading: "Confirmez votre nouvelle adresse e-mail",
            link: Some((
                "L’adresse de votre compte sur {{ SiteURL }} va passer de {{ Email }} à {{ NewEmail }}. \
                 Suivez ce lien pour accepter :",
                "Changer mon adresse",
            )),
            code: CODE,
            surprise: "Si vous n’avez rien demandé, ignorez ce message et changez votre mot de passe.",
        },
        Words {
            name: "auth-invite",
            subject: "Vous êtes invité",
            heading: "Vous êtes invité",
            link: Some((
                "Quelqu’un a invité {{ Email }} sur {{ SiteURL }}. Suivez ce lien pour accepter :",
                "Accepter l’invitation",
            )),
            code: CODE,
            surprise: "Si cela ne vous dit rien, ignorez ce message.",
        },
        Words {
            name: "auth-magic_link",
            subject: "Votre lien de connexion",
            heading: "Se connecter",
            link: Some((
                "Suivez ce lien pour vous connecter à {{ SiteURL }} en tant que {{ Email }} :",
                "Se connecter",
            )),
            code: CODE,
            surprise: "Si vous n’avez rien demandé, ignorez ce message.",
        },
        Words {
            name: "auth-reauthentication",
            subject: "{{ Token }} est votre code de vérification",
            heading: "Confirmez que c’est bien vous",
            link: None,
            code: "Saisissez ce code pour continuer :",
            surprise: "Si vous n’avez rien demandé, quelqu’un utilise peut-être votre session : déconnectez-vous partout.",
        },
        Words {
            name: "auth-recovery",
            subject: "Réinitialisez votre mot de passe",
            heading: "Réinitialisez votre mot de passe",
            link: Some((
                "Suivez ce lien pour choisir un nouveau mot de passe pour {{ Email }} sur {{ SiteURL }} :",
                "Choisir un nouveau mot de passe",
            )),
            code: CODE,
            surprise: "Si vous n’avez rien demandé, ignorez ce message ; votre mot de passe reste le même.",
        },
    ],
};
