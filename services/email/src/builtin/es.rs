//! Spanish.

use super::{Language, Words};

const CODE: &str = "O introduzca este código:";

pub(super) const WORDS: Language = Language {
    tag: "es",
    mails: [
        Words {
            name: "auth-confirmation",
            subject: "Confirme su dirección de correo",
            heading: "Confirme su dirección de correo",
            link: Some((
                "Siga este enlace para confirmar {{ Email }} para su cuenta en {{ SiteURL }}:",
                "Confirmar mi dirección",
            )),
            code: CODE,
            surprise: "Si usted no se ha registrado, ignore este mensaje.",
        },
        Words {
            name: "auth-email_change",
            subject: "Confirme su nueva dirección de correo",
            heading: "Confirme su nueva dirección de correo",
            link: Some((
                "La dirección de su cuenta en {{ SiteURL }} va a cambiar de {{ Email }} a {{ NewEmail }}. \
                 Siga este enlace para aceptarlo:",
                "Cambiar mi dirección",
            )),
            code: CODE,
            surprise: "Si no lo ha pedido, ignore este mensaje y cambie su contraseña.",
        },
        Words {
            name: "auth-invite",
            subject: "Ha recibido una invitación",
            heading: "Ha recibido una invitación",
            link: Some((
                "Alguien ha invitado a {{ Email }} a {{ SiteURL }}. Siga este enlace para aceptar:",
                "Aceptar la invitación",
            )),
            code: CODE,
            surprise: "Si no sabe de qué se trata, ignore este mensaje.",
        },
        Words {
            name: "auth-magic_link",
            subject: "Su enlace para iniciar sesión",
            heading: "Iniciar sesión",
            link: Some((
                "Siga este enlace para iniciar sesión en {{ SiteURL }} como {{ Email }}:",
                "Iniciar sesión",
            )),
            code: CODE,
            surprise: "Si no lo ha pedido, ignore este mensaje.",
        },
        Words {
            name: "auth-reauthentication",
            subject: "{{ Token }} es su código de verificación",
            heading: "Confirme que es usted",
            link: None,
            code: "Introduzca este código para continuar:",
            surprise: "Si no lo ha pedido, puede que alguien esté usando su sesión: ciérrela en todas partes.",
        },
        Words {
            name: "auth-recovery",
            subject: "Restablezca su contraseña",
            heading: "Restablezca su contraseña",
            link: Some((
                "Siga este enlace para elegir una nueva contraseña para {{ Email }} en {{ SiteURL }}:",
                "Elegir una nueva contraseña",
            )),
            code: CODE,
            surprise: "Si no lo ha pedido, ignore este mensaje; su contraseña no cambia.",
        },
    ],
};
