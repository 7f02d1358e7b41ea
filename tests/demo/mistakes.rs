//! Twelve realistic rows, each with a different mistake.

/// A rejected row.
pub(crate) struct Mistake {
    /// Address, first name, last name, language.
    pub(crate) cells: fn() -> [String; 4],
    /// The header of the faulty cell.
    pub(crate) column: &'static str,
    /// The API's error code.
    pub(crate) code: &'static str,
}

/// All mistakes, in the order of the file.
pub(crate) const MISTAKES: [Mistake; 12] = [
    Mistake {
        cells: || row("aylin.demir.example.org", "Aylin", "tr"),
        column: "email",
        code: "at_sign_missing",
    },
    Mistake {
        cells: || row("", "Mateusz", "pl"),
        column: "email",
        code: "address_missing",
    },
    Mistake {
        // The first user of the file, in capitals.
        cells: || row("MOHAMMED.AL-HADDAD@EXAMPLE.ORG", "محمد", "ar"),
        column: "email",
        code: "duplicate_of_row",
    },
    Mistake {
        cells: || row("jean\u{7}luc@example.com", "Jean-Luc", "fr"),
        column: "email",
        code: "control_character",
    },
    Mistake {
        cells: || {
            row(
                &format!("{}@example.net", "wolfeschlegelstein".repeat(4)),
                "Hubert",
                "de",
            )
        },
        column: "email",
        code: "address_too_long",
    },
    Mistake {
        cells: || row("ngaio@example", "Ngaio", "mi"),
        column: "email",
        code: "domain_not_public",
    },
    Mistake {
        cells: || row("olena@@example.org", "Олена", "uk"),
        column: "email",
        code: "several_at_signs",
    },
    Mistake {
        cells: || row("anna maria@example.org", "Anna Maria", "it"),
        column: "email",
        code: "space_in_address",
    },
    Mistake {
        cells: || row("ken@example.org; ken@example.com", "健", "ja"),
        column: "email",
        code: "several_addresses",
    },
    Mistake {
        cells: || row("win@example.com", "Claim your prize at www.prize.example", "en"),
        column: "first name",
        code: "looks_like_a_link",
    },
    Mistake {
        cells: || row("pablo@example.org", &"Pablo Diego José ".repeat(15), "es"),
        column: "first name",
        code: "too_long",
    },
    Mistake {
        cells: || row("sukarno@example.org", "Sukarno", "Bahasa Indonesia"),
        column: "language",
        code: "language_invalid",
    },
];

fn row(email: &str, first_name: &str, language: &str) -> [String; 4] {
    [email, first_name, "", language].map(str::to_owned)
}
