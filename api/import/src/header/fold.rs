//! Removes accents, for names typed without them: "Prenom", "Correo electronico", "Imie".

/// A normalised name without accents: `prénom` is `prenom`, `größe` is `grosse`.
pub(crate) fn folded(name: &str) -> String {
    name.chars().fold(String::with_capacity(name.len()), |mut text, c| {
        match c {
            'ß' => text.push_str("ss"),
            'æ' => text.push_str("ae"),
            'œ' => text.push_str("oe"),
            c => text.push(base(c)),
        }
        text
    })
}

/// A normalised name with its umlauts as two letters: `größe` is `groesse`.
pub(crate) fn transcribed(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            'ä' => text.push_str("ae"),
            'ö' | 'ø' => text.push_str("oe"),
            'ü' => text.push_str("ue"),
            'å' => text.push_str("aa"),
            c => text.push(c),
        }
    }
    folded(&text)
}

/// The letter without its accent. Only letters of European alphabets have one here.
fn base(c: char) -> char {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' | 'ģ' => 'g',
        'ì'..='ï' | 'ī' | 'į' | 'ı' => 'i',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ŕ' | 'ř' => 'r',
        'ś' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ț' => 't',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_are_removed_and_other_scripts_stay() {
        for (name, plain, long) in [
            ("prénom", "prenom", "prenom"),
            ("größe", "grosse", "groesse"),
            ("język", "jezyk", "jezyk"),
            ("imięłódź", "imielodz", "imielodz"),
            ("æøå", "aeoa", "aeoeaa"),
            ("sähköposti", "sahkoposti", "saehkoeposti"),
            ("contraseña", "contrasena", "contrasena"),
            ("メール", "メール", "メール"),
            ("имя", "имя", "имя"),
            ("email", "email", "email"),
        ] {
            assert_eq!((folded(name), transcribed(name)), (plain.to_owned(), long.to_owned()));
        }
    }
}
