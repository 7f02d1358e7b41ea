//! Recognises password columns by their names.
//!
//! Beckon exists so that passwords are in no file and no database, so such a column is never imported, whatever its
//! name. A column about passwords (when they were changed, how they are hashed) is left out too, because its name is
//! too similar.

use super::{normalised, without_notes};

/// Words that mean a password anywhere in a name, normalised.
const WORDS: [&str; 53] = [
    "password",
    "passwort",
    "passwörter",
    "passwoerter",
    "paßwort",
    "passwd",
    "passphrase",
    "passcode",
    "kennwort",
    "kennwörter",
    "kennwoerter",
    "losungswort",
    "motdepasse",
    "motspasse",
    "contraseña",
    "contrasena",
    "contrasenya",
    "palavrapasse",
    "palavrachave",
    "parolaaccesso",
    "paroladaccesso",
    "parolachiave",
    "paroladordine",
    "wachtwoord",
    "toegangscode",
    "hasło",
    "hasła",
    "パスワード",
    "密码",
    "密碼",
    "口令",
    "暗証番号",
    "비밀번호",
    "пароль",
    "пароли",
    "паролі",
    "лозинка",
    "lösenord",
    "losenord",
    "adgangskode",
    "passord",
    "salasana",
    "jelszó",
    "jelszo",
    "lozinka",
    "parolă",
    "كلمةالمرور",
    "סיסמה",
    "รหัสผ่าน",
    "mậtkhẩu",
    "matkhau",
    "katasandi",
    "katalaluan",
];

/// Words that mean a password wherever they stand as a word of their own, with or without a number: "AD pwd", "pw2".
const SHORT: [&str; 15] = [
    "pw", "pwd", "pwds", "psw", "pword", "mdp", "senha", "senhas", "heslo", "haslo", "hasla", "parool", "geslo",
    "sifre", "şifre",
];

/// Words that mean a password only as the whole name, or together with [`BESIDE`]: "pass" does, "bus pass" does not.
const ALONE: [&str; 3] = ["pass", "clave", "parola"];

/// Words that turn one of [`ALONE`] into a password.
const BESIDE: [&str; 39] = [
    "user",
    "login",
    "logon",
    "account",
    "initial",
    "temp",
    "temporary",
    "default",
    "new",
    "start",
    "web",
    "app",
    "moodle",
    "google",
    "lms",
    "windows",
    "portal",
    "office",
    "wifi",
    "utilisateur",
    "provisoire",
    "initiale",
    "de",
    "acceso",
    "usuario",
    "inicial",
    "temporal",
    "personal",
    "provisional",
    "secreta",
    "acesso",
    "provisória",
    "accesso",
    "iniziale",
    "temporanea",
    "di",
    "email",
    "mail",
    "hash",
];

/// Beginnings of words beside a password that mean that the column contains none.
const ABOUT: [&str; 34] = [
    "function",
    "polic",
    "chang",
    "modif",
    "reset",
    "last",
    "date",
    "age",
    "expir",
    "never",
    "must",
    "force",
    "attempt",
    "strength",
    "days",
    "hint",
    "status",
    "enabled",
    "required",
    "geänd",
    "änder",
    "letzte",
    "ablauf",
    "läuft",
    "dernier",
    "cambi",
    "último",
    "ultim",
    "scade",
    "alter",
    "gewijzigd",
    "verloop",
    "zmian",
    "wyga",
];

/// How a name relates to passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passwords {
    /// The cells are passwords.
    Held,
    /// The cells describe passwords.
    Spoken,
}

/// How a column name relates to passwords; `None` if it does not.
pub(crate) fn passwords_in(header: &str) -> Option<Passwords> {
    let all_words = words(header);
    let whole = normalised(header);
    let is_short = all_words
        .iter()
        .any(|word| SHORT.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit())));
    let is_alone = |word: &String| ALONE.contains(&word.as_str());
    let is_beside = |word: &String| BESIDE.contains(&word.as_str()) || word.bytes().all(|b| b.is_ascii_digit());
    let is_of_short_words =
        all_words.iter().any(is_alone) && all_words.iter().all(|word| is_alone(word) || is_beside(word));
    if !is_short && !is_of_short_words && !WORDS.iter().any(|word| whole.contains(word)) {
        return None;
    }
    // Text in brackets may be an instruction: "Password (change at first sign-in)".
    let outside = words(&without_round_brackets(&without_notes(header)));
    let outside = if outside.is_empty() { all_words } else { outside };
    let is_about = outside
        .iter()
        .any(|word| ABOUT.iter().any(|about| word.starts_with(about)));
    Some(if is_about { Passwords::Spoken } else { Passwords::Held })
}

/// The words of a name in lower case, including those of `initialPassword`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            // Without the dot of "İ" in lower case.
            word.extend(c.to_lowercase().filter(|&c| c != '\u{307}'));
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn without_round_brackets(name: &str) -> String {
    let mut depth = 0_u32;
    let outside = name.chars().filter(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    });
    outside.collect()
}

#[cfg(test)]
mod tests {
    use super::{Passwords, passwords_in};

    #[test]
    fn password_columns_are_recognised_in_many_languages() {
        for name in [
            "Password",
            "PASSWORD",
            "pass-word",
            "Password [Required]",
            "Initial password",
            "initialPassword",
            "Initial password [passwordProfile] Required",
            "Temp. password",
            "user_password",
            "PasswordHash",
            "pwd",
            "PW",
            "pass",
            "User pass",
            "Passwort",
            "Startpasswort",
            "Kennwort",
            "Mot de passe",
            "mot_de_passe",
            "MDP",
            "mdp provisoire",
            "Contraseña",
            "contrasena inicial",
            "Clave",
            "Clave de acceso",
            "Senha",
            "Senha inicial",
            "Palavra-passe",
            "Wachtwoord",
            "Hasło",
            "haslo",
            "パスワード",
            "初期パスワード",
            "密码",
            "비밀번호",
            "Пароль",
            "Lösenord",
            "Adgangskode",
            "Salasana",
            "Password (change at first sign-in)",
            "(password)",
            "Password*",
        ] {
            assert_eq!(passwords_in(name), Some(Passwords::Held), "{name}");
        }
    }

    #[test]
    fn short_words_numbers_and_plurals_are_recognised_too() {
        for name in [
            "Moodle pass",
            "Pass 1",
            "AD pwd",
            "Portal PW",
            "Neues PW",
            "initPw",
            "plain_pw",
            "PWD1",
            "pw2",
            "Passwörter",
            "PaßWort",
            "Kennwörter",
            "Senha temporária",
            "Senha provisoria",
            "Senha do usuário",
            "Clave provisional",
            "Hasła",
            "ŞİFRE",
            "Пароли",
            "口令",
            "Mật khẩu",
            "Kata sandi",
            "Ｐａｓｓｗｏｒｄ",
            "パスワード（必須）",
            "1. Password",
            "Kennwort - Pflichtfeld",
        ] {
            assert_eq!(passwords_in(name), Some(Passwords::Held), "{name}");
        }
    }

    #[test]
    fn columns_about_passwords_are_distinguished_from_password_columns() {
        for name in [
            "Password Hash Function [UPLOAD ONLY]",
            "Change Password at Next Sign-In",
            "Password last changed",
            "Password expires",
            "passwordPolicies",
            "Force password change",
            "badPasswordAttempts",
            "Passwort geändert am",
            "(password_expires)",
        ] {
            assert_eq!(passwords_in(name), Some(Passwords::Spoken), "{name}");
        }
    }

    #[test]
    fn other_columns_are_no_password_columns() {
        for name in [
            "Bus pass",
            "Passport",
            "Pass mark",
            "Passed",
            "Compass",
            "Clave de producto",
            "Key",
            "PIN code",
            "Code",
            "Boarding pass no.",
            "Pwllheli",
            "Department",
            "Class",
            "Sparkasse",
            "",
        ] {
            assert_eq!(passwords_in(name), None, "{name}");
        }
    }
}
