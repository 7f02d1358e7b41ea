//! Files as other programs write them: their headers, the rows above them, and damaged values.

use super::super::{Accepted, Limits, ParsedFile, ParsedRow, Person, RowRules};
use super::{all_people, file, read};

/// Headers of other programs, and what each column fills.
const HEADERS: &[(&str, &str, &[&str])] = &[
    (
        "Google Workspace",
        "First Name [Required],Last Name [Required],Email Address [Required],Org Unit Path [Required],Status [READ ONLY],Recovery Email,2sv Enrolled [READ ONLY]",
        &[
            "first_name",
            "last_name",
            "email",
            "org_unit_path",
            "status",
            "recovery_email",
            "",
        ],
    ),
    (
        "Google contacts",
        "First Name,Middle Name,Last Name,E-mail 1 - Label,E-mail 1 - Value",
        &["first_name", "middle_name", "last_name", "e_mail_1_label", "email"],
    ),
    (
        "Entra, export",
        "userPrincipalName,displayName,surname,mail,givenName,usageLocation",
        &[
            "userprincipalname",
            "displayname",
            "last_name",
            "email",
            "first_name",
            "usagelocation",
        ],
    ),
    (
        "Entra, bulk invite",
        "Name [displayName],User name [userPrincipalName] Required,First name [givenName],Last name [surname]",
        &["name", "email", "first_name", "last_name"],
    ),
    (
        "Okta",
        "login,firstName,lastName,email,preferredLanguage",
        &["login", "first_name", "last_name", "email", "language"],
    ),
    (
        "Workday",
        "Employee ID,Legal First Name,Legal Last Name,Email - Primary Work",
        &["employee_id", "first_name", "last_name", "email"],
    ),
    (
        "Moodle",
        "username,firstname,lastname,email,lang,cohort1",
        &["username", "first_name", "last_name", "email", "language", "cohort1"],
    ),
    (
        "Canvas",
        "user_id,login_id,first_name,last_name,full_name,email,status",
        &["user_id", "login_id", "first_name", "last_name", "", "email", "status"],
    ),
    (
        "Outlook",
        "First Name,Last Name,Company,E-mail Address,E-mail Type,E-mail Display Name",
        &[
            "first_name",
            "last_name",
            "company",
            "email",
            "e_mail_type",
            "e_mail_display_name",
        ],
    ),
    (
        "German",
        "Nachname;Vorname;E-Mail-Adresse (Pflichtfeld);Sprache;Organisation",
        &["last_name", "first_name", "email", "language", ""],
    ),
    (
        "German, short",
        "Name;Vorname;Mail",
        &["last_name", "first_name", "email"],
    ),
    (
        "French",
        "Nom;Prénom;Adresse électronique;Langue",
        &["last_name", "first_name", "email", "language"],
    ),
    (
        "Spanish",
        "Nombre;Apellidos;Correo electrónico (obligatorio);Idioma",
        &["first_name", "last_name", "email", "language"],
    ),
    (
        "Italian",
        "Nome;Cognome;Indirizzo e-mail;Lingua",
        &["first_name", "last_name", "email", "language"],
    ),
    (
        "Portuguese",
        "Nome;Sobrenome;Endereço de e-mail;Idioma",
        &["first_name", "last_name", "email", "language"],
    ),
    (
        "Dutch",
        "Voornaam;Achternaam;E-mailadres;Taal",
        &["first_name", "last_name", "email", "language"],
    ),
    (
        "Polish",
        "Imię;Nazwisko;Adres e-mail;Język",
        &["first_name", "last_name", "email", "language"],
    ),
    (
        "Japanese",
        "姓,名,メールアドレス,言語",
        &["last_name", "first_name", "email", "language"],
    ),
    (
        "whole names",
        "Full name,Email:*,Class",
        &["full_name", "email", "class"],
    ),
    ("a name alone", "Name,Email", &["name", "email"]),
    (
        "notes that distinguish columns",
        "Email,Team [spring],Team [autumn]",
        &["email", "team_spring", "team_autumn"],
    ),
    (
        "preferred names",
        "Legal First Name,Preferred First Name,Last Name,Work Email",
        &["legal_first_name", "first_name", "last_name", "email"],
    ),
];

#[test]
fn the_headers_of_other_programs_are_understood() {
    for (program, header, fields) in HEADERS {
        let (sheet, _) = ParsedFile::open_csv(file(format!("{header}\n{}\n", "x".to_owned())), Limits::default())
            .unwrap_or_else(|fault| panic!("{program}: {fault}"));

        let read: Vec<String> = sheet
            .columns()
            .into_iter()
            .map(|column| column.field.unwrap_or_default())
            .collect();
        assert_eq!(read, *fields, "{program}");
        let notes = sheet
            .columns()
            .into_iter()
            .filter(|column| column.note.is_some())
            .count();
        assert_eq!(
            notes,
            fields.iter().filter(|field| field.is_empty()).count(),
            "{program}"
        );
    }
}

#[test]
fn lines_above_the_header_are_skipped() {
    for text in [
        "version:v1.0\nName [displayName],User name [userPrincipalName] Required\nAda,ada@example.org\n",
        "\u{FEFF}Staff of November;;\n;;\nExported on;1.10.2026;\nName;E-Mail;Team\nAda;ada@example.org;x\n",
    ] {
        let (sheet, lines) = read(text).unwrap();
        assert_eq!(all_people(lines)[0].email.as_typed(), "ada@example.org", "{text}");
        assert!(sheet.header_row > 1 && sheet.header.len() >= 2);
    }
    // Not after the first person, and not far below.
    for text in [
        "ada@example.org,Ada\nEmail,Name\nx@example.org,X\n".to_owned(),
        "x,y\n".repeat(30) + "email\na@b.co\n",
    ] {
        assert_eq!(read(text).map(|_| ()).unwrap_err().code(), "email_column_missing");
    }
}

#[test]
fn full_names_are_split() {
    let people = all_people(
        read("Full Name,Email\n\"Lovelace, Ada\",ada@example.org\nBob Ray,bob@example.org\n")
            .unwrap()
            .1,
    );

    let names: Vec<_> = people
        .iter()
        .map(|p| (p.first_name.as_deref(), p.last_name.as_deref()))
        .collect();
    assert_eq!(names, [(Some("Ada"), Some("Lovelace")), (Some("Bob"), Some("Ray"))]);
}

/// The cell, the code and the suggestion of a problem.
type Found = (String, &'static str, Option<String>);

/// The valid rows, and the cell, the code and the suggestion of each problem in the others.
fn sorted(text: &str) -> (Vec<Person>, Vec<Found>) {
    let (mut people, mut problems) = (Vec::new(), Vec::new());
    for line in read(text).unwrap().1 {
        match line {
            ParsedRow::Person(person) => people.push(person),
            ParsedRow::Rejected(rejected) => {
                for problem in rejected.problems {
                    problems.push((problem.cell.unwrap_or_default(), problem.code, problem.suggestion));
                }
            }
        }
    }
    (people, problems)
}

#[test]
fn doubly_encoded_names_are_doubtful_and_others_are_not() {
    let (people, problems) = sorted(
        "email,first name,last name,town\n\
         jose.nunez@lerna.example,JosÃ©,NÃºÃ±ez,LeÃ³n\n\
         sean.obrien@lerna.example,SeÃ¡n,Oâ€™Brien,Galway\n\
         joao.silva@lerna.example,JOÃO,DA SILVA,SÃO PAULO\n\
         angela.assuncao@lerna.example,Ângela,Assunção,Évora\n",
    );

    assert_eq!(people.len(), 2);
    let found: Vec<_> = problems
        .iter()
        .map(|(cell, code, meant)| (cell.as_str(), *code, meant.as_deref().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("B2", "double_encoded", "José"),
            ("C2", "double_encoded", "Núñez"),
            ("D2", "double_encoded", "León"),
            ("B3", "double_encoded", "Seán"),
            ("C3", "double_encoded", "O’Brien"),
        ]
    );
}

#[test]
fn spreadsheet_errors_in_other_languages_are_doubtful() {
    let (people, problems) = sorted(
        "email;first name;last name;start date;group\r\n\
         ana@lerna.example;Ana;Berg;#WERT!;A\r\n\
         ben@lerna.example;#NV;Schulz;01.10.2026;B\r\n\
         cem@lerna.example;Cem;#BEZUG!;########;A\r\n\
         dora@lerna.example;#NOM?;Petit;01.10.2026;B\r\n\
         eva@lerna.example;Eva;Soto;#¡VALOR!;C\r\n\
         fay@lerna.example;Fay;Lind;#SAKNAS!;C\r\n\
         gil@lerna.example;Gil;Roux;01.10.2026;#teamblue\r\n\
         hana@lerna.example;Hana;Ito;01.10.2026;# 7\r\n",
    );

    assert_eq!(people.iter().map(|person| person.row).collect::<Vec<_>>(), [8, 9]);
    let cells: Vec<&str> = problems.iter().map(|(cell, _, _)| cell.as_str()).collect();
    assert_eq!(cells, ["D2", "B3", "C4", "D4", "B5", "D6", "D7"]);
    assert!(problems.iter().all(|(_, code, _)| *code == "spreadsheet_error"));
}

#[test]
fn an_apostrophe_before_an_address_is_reported_and_one_inside_stays() {
    let (people, problems) = sorted(
        "email,first name\n\
         'ada.kahn@lerna.example,Ada\n\
         ada.kahn@lerna.example,Ada\n\
         ''ben.ross@lerna.example,Ben\n\
         'cem.oz@lerna.example',Cem\n\
         d'arcy.lynn@lerna.example,D'Arcy\n\
         o'neill@lerna.example,Maeve\n",
    );

    assert_eq!(people.iter().map(|person| person.row).collect::<Vec<_>>(), [3, 6, 7]);
    let found: Vec<_> = problems
        .iter()
        .map(|(cell, _, meant)| (cell.as_str(), meant.as_deref().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("A2", "ada.kahn@lerna.example"),
            ("A4", "ben.ross@lerna.example"),
            ("A5", "cem.oz@lerna.example"),
        ]
    );
}

#[test]
fn other_damage_is_doubtful_with_a_suggestion() {
    let (people, problems) = sorted(
        "email,first name,last name,start date,phone\n\
         ada@gmial.com,Ada,Berg,,\n\
         bob@example.org,NULL,Ray,,\n\
         cia@example.org,Cia,M&uuml;ller,,\n\
         dan@example.org,Bj?rn,Ek,,\n\
         eli@example.org,Eli,Ek,46296,4.91E+11\n\
         fay@example.con,Fay,Ek,,\n\
         info@example.org,Gil,Ek,,\n\
         hal@example.org,1-Mar,Ek,0000-00-00,\n\
         ida@example.org,Prof.in Ida,Null,,\n\
         'joe@example.con,Joe,Ek,,\n",
    );

    assert_eq!(people.iter().map(|person| person.row).collect::<Vec<_>>(), [10]);
    let found: Vec<_> = problems
        .iter()
        .map(|(cell, code, meant)| (cell.as_str(), *code, meant.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            ("A2", "mistyped_domain", Some("ada@gmail.com")),
            ("B3", "placeholder", None),
            ("C4", "html_entity", Some("Müller")),
            ("B5", "lost_letter", None),
            ("D6", "serial_date", Some("2026-10-01")),
            ("E6", "shortened_number", None),
            ("A7", "domain_impossible", Some("fay@example.com")),
            ("A8", "shared_address", None),
            ("B9", "became_a_date", None),
            ("D9", "placeholder", None),
            ("A11", "local_part_invalid", Some("joe@example.com")),
        ]
    );
}

#[test]
fn accepted_doubtful_values_are_imported_unchanged() {
    let text = "email,first name,team\nada@gmial.com,JosÃ©,NULL\nbob@example.con,Bob,x\n";
    let (_, lines) = ParsedFile::open_csv(file(text), Limits::default()).unwrap();

    let lines: Vec<ParsedRow> = lines
        .with_rules(RowRules {
            accepted: Accepted::ALL,
            ..RowRules::default()
        })
        .map(Result::unwrap)
        .collect();

    let ParsedRow::Person(ada) = &lines[0] else {
        panic!("{lines:?}")
    };
    assert_eq!(ada.email.as_typed(), "ada@gmial.com");
    assert_eq!(
        (ada.first_name.as_deref(), ada.fields["team"].as_str()),
        (Some("JosÃ©"), "NULL")
    );
    // Mail cannot reach a domain that cannot exist, so this cannot be accepted.
    assert!(matches!(&lines[1], ParsedRow::Rejected(row) if !row.is_acceptable()));

    let (_, lines) = ParsedFile::open_csv(file(text), Limits::default()).unwrap();
    let accepted = Accepted::of(["mistyped_domain", "placeholder"]).unwrap();
    let some = RowRules {
        accepted,
        ..RowRules::default()
    };
    let Some(Ok(ParsedRow::Rejected(row))) = lines.with_rules(some).next() else {
        panic!("the garbled name is not accepted")
    };
    let codes: Vec<&str> = row.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["double_encoded"]);
}
