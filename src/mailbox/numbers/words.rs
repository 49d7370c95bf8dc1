//! Number words, language by language. Spelled as `scan` leaves them: lower case, no accents.

/// The languages whose number words are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    French,
    Portuguese,
    Spanish,
    /// Any other: only digits are read.
    Other,
}

/// What a word is in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Zero,
    /// 1 to 9.
    Unit(u64),
    /// 1 or 2 as the end of a larger number only: elsewhere `first` and `second` count nothing.
    Late(u64),
    /// 10 to 19, and what else takes the place of tens and units.
    Teen(u64),
    /// 20 to 90.
    Ten(u64),
    /// The word that makes hundreds of what stands before it, or is a hundred.
    Hundred,
    /// The same, but never without a number before it.
    Hundreds,
    /// 100 to 900, in one word.
    Whole(u64),
    /// A thousand, a million, ...
    Scale(u64),
    /// The same, but never without a number before it.
    Scales(u64),
}

impl Language {
    pub(super) fn of(code: &str) -> Self {
        match code.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "en" => Self::English,
            "fr" => Self::French,
            "pt" => Self::Portuguese,
            "es" => Self::Spanish,
            _ => Self::Other,
        }
    }

    pub(super) fn part(self, word: &str) -> Option<Part> {
        match self {
            Self::English => english(word),
            Self::French => french(word),
            Self::Portuguese => portuguese(word),
            Self::Spanish => spanish(word),
            Self::Other => None,
        }
    }

    /// `and`, where it may join the parts of a number.
    pub(super) fn joins(self, word: &str) -> bool {
        match self {
            Self::English => word == "and",
            Self::French => word == "et",
            Self::Portuguese => word == "e",
            Self::Spanish => word == "y",
            Self::Other => false,
        }
    }

    /// The word between whole and decimals.
    pub(super) fn points(self, word: &str) -> bool {
        match self {
            Self::English => word == "point",
            Self::French => word == "virgule",
            Self::Portuguese => word == "virgula",
            Self::Spanish => matches!(word, "coma" | "punto"),
            Self::Other => false,
        }
    }

    /// The word after the hour; what follows it are minutes.
    pub(super) fn hour(self, word: &str) -> bool {
        match self {
            Self::English => word == "oclock",
            Self::French => matches!(word, "heure" | "heures"),
            Self::Portuguese | Self::Spanish => matches!(word, "hora" | "horas"),
            Self::Other => false,
        }
    }

    /// How often the next digit is said: `double five`.
    pub(super) fn repeats(self, word: &str) -> Option<usize> {
        match (self, word) {
            (Self::Other, _) => None,
            (_, "double" | "doble" | "duplo") => Some(2),
            (_, "triple" | "triplo") => Some(3),
            _ => None,
        }
    }

    /// Hours that have names.
    pub(super) fn named_hour(self, word: &str, before: Option<&str>) -> Option<&'static str> {
        match (self, word) {
            (Self::English, "noon" | "midday") => Some("12"),
            (Self::English, "midnight") => Some("0"),
            (Self::French, "midi") if before != Some("apres") => Some("12"),
            (Self::French, "minuit") => Some("0"),
            (Self::Portuguese, "dia") if before == Some("meio") => Some("12"),
            (Self::Portuguese, "noite") if before == Some("meia") => Some("0"),
            (Self::Spanish, "mediodia") => Some("12"),
            (Self::Spanish, "medianoche") => Some("0"),
            _ => None,
        }
    }

    /// Minutes told after the hour in words of their own: how many pieces they take, how many they
    /// are, and whether they are short of the hour.
    pub(super) fn minutes(self, words: [Option<&str>; 3]) -> Option<(usize, &'static str, bool)> {
        match (self, words) {
            (Self::French, [Some("et"), Some("demie" | "demi"), _]) => Some((2, "30", false)),
            (Self::French, [Some("et"), Some("quart"), _]) => Some((2, "15", false)),
            (Self::French, [Some("moins"), Some("le"), Some("quart")]) => Some((3, "45", true)),
            (Self::Portuguese, [Some("e"), Some("meia"), _]) => Some((2, "30", false)),
            (Self::Spanish, [Some("y"), Some("media"), _]) => Some((2, "30", false)),
            (Self::Spanish, [Some("y"), Some("cuarto"), _]) => Some((2, "15", false)),
            (Self::Spanish, [Some("menos"), Some("cuarto"), _]) => Some((2, "45", true)),
            _ => None,
        }
    }

    /// The same told before the hour: `half past`, `quarter to`.
    pub(super) fn minutes_before(self, first: &str, second: &str) -> Option<(&'static str, bool)> {
        match (self, first, second) {
            (Self::English, "half", "past") => Some(("30", false)),
            (Self::English, "quarter", "past" | "after") => Some(("15", false)),
            (Self::English, "quarter", "to" | "of" | "till" | "before") => Some(("45", true)),
            _ => None,
        }
    }

    /// Whether a lone `one` is an hour by the words around it, and not an article or a pronoun.
    pub(super) fn is_hour(self, before: Option<&str>, after: Option<&str>) -> bool {
        match self {
            Self::English => {
                matches!(after, Some("oclock" | "am" | "pm" | "a" | "p"))
                    || (before == Some("at") && after.is_none())
            }
            Self::French => {
                matches!(before, Some("à" | "vers" | "avant" | "apres")) && after == Some("heure")
            }
            Self::Portuguese => before == Some("à"),
            Self::Spanish => before == Some("la"),
            Self::Other => false,
        }
    }
}

fn english(word: &str) -> Option<Part> {
    Some(match word {
        "zero" | "nought" => Part::Zero,
        "one" => Part::Unit(1),
        "two" => Part::Unit(2),
        "three" | "third" => Part::Unit(3),
        "four" | "fourth" => Part::Unit(4),
        "five" | "fifth" => Part::Unit(5),
        "six" | "sixth" => Part::Unit(6),
        "seven" | "seventh" => Part::Unit(7),
        "eight" | "eighth" => Part::Unit(8),
        "nine" | "ninth" => Part::Unit(9),
        "first" => Part::Late(1),
        "second" => Part::Late(2),
        "ten" | "tenth" => Part::Teen(10),
        "eleven" | "eleventh" => Part::Teen(11),
        "twelve" | "twelfth" => Part::Teen(12),
        "thirteen" | "thirteenth" => Part::Teen(13),
        "fourteen" | "fourteenth" => Part::Teen(14),
        "fifteen" | "fifteenth" => Part::Teen(15),
        "sixteen" | "sixteenth" => Part::Teen(16),
        "seventeen" | "seventeenth" => Part::Teen(17),
        "eighteen" | "eighteenth" => Part::Teen(18),
        "nineteen" | "nineteenth" => Part::Teen(19),
        "twenty" | "twentieth" => Part::Ten(20),
        "thirty" | "thirtieth" => Part::Ten(30),
        "forty" | "fortieth" | "fourty" => Part::Ten(40),
        "fifty" | "fiftieth" => Part::Ten(50),
        "sixty" | "sixtieth" => Part::Ten(60),
        "seventy" | "seventieth" => Part::Ten(70),
        "eighty" | "eightieth" => Part::Ten(80),
        "ninety" | "ninetieth" => Part::Ten(90),
        "hundred" => Part::Hundred,
        "thousand" => Part::Scale(1_000),
        "million" => Part::Scale(1_000_000),
        "billion" => Part::Scale(1_000_000_000),
        _ => return None,
    })
}

fn french(word: &str) -> Option<Part> {
    Some(match word.strip_suffix("ieme") {
        Some("un" | "uni") => Part::Late(1),
        Some("deux") => Part::Late(2),
        Some("quatr") => Part::Unit(4),
        Some("cinqu") => Part::Unit(5),
        Some("neuv") => Part::Unit(9),
        Some("onz") => Part::Teen(11),
        Some("douz") => Part::Teen(12),
        Some("treiz") => Part::Teen(13),
        Some("quatorz") => Part::Teen(14),
        Some("quinz") => Part::Teen(15),
        Some("seiz") => Part::Teen(16),
        Some("trent") => Part::Ten(30),
        Some(stem) => return cardinal_french(stem),
        None => return cardinal_french(word),
    })
}

fn cardinal_french(word: &str) -> Option<Part> {
    Some(match word {
        "zero" => Part::Zero,
        "un" | "une" => Part::Unit(1),
        "deux" => Part::Unit(2),
        "trois" => Part::Unit(3),
        "quatre" => Part::Unit(4),
        "cinq" => Part::Unit(5),
        "six" => Part::Unit(6),
        "sept" => Part::Unit(7),
        "huit" => Part::Unit(8),
        "neuf" => Part::Unit(9),
        "dix" => Part::Teen(10),
        "onze" => Part::Teen(11),
        "douze" => Part::Teen(12),
        "treize" => Part::Teen(13),
        "quatorze" => Part::Teen(14),
        "quinze" => Part::Teen(15),
        "seize" => Part::Teen(16),
        "vingt" | "vingts" => Part::Ten(20),
        "trente" => Part::Ten(30),
        "quarante" => Part::Ten(40),
        "cinquante" => Part::Ten(50),
        "soixante" => Part::Ten(60),
        "septante" => Part::Ten(70),
        "huitante" | "octante" => Part::Ten(80),
        "nonante" => Part::Ten(90),
        "cent" => Part::Hundred,
        "cents" => Part::Hundreds,
        "mille" => Part::Scale(1_000),
        "million" => Part::Scale(1_000_000),
        "millions" => Part::Scales(1_000_000),
        "milliard" => Part::Scale(1_000_000_000),
        "milliards" => Part::Scales(1_000_000_000),
        _ => return None,
    })
}

fn portuguese(word: &str) -> Option<Part> {
    Some(match word {
        "zero" => Part::Zero,
        "um" | "uma" => Part::Unit(1),
        "dois" | "duas" => Part::Unit(2),
        "tres" | "terceiro" | "terceira" => Part::Unit(3),
        "quatro" => Part::Unit(4),
        "cinco" | "quinto" => Part::Unit(5),
        "seis" | "sexto" => Part::Unit(6),
        "sete" | "setimo" => Part::Unit(7),
        "oito" | "oitavo" => Part::Unit(8),
        "nove" | "nono" => Part::Unit(9),
        "dez" | "decimo" => Part::Teen(10),
        "onze" => Part::Teen(11),
        "doze" => Part::Teen(12),
        "treze" => Part::Teen(13),
        "catorze" | "quatorze" => Part::Teen(14),
        "quinze" => Part::Teen(15),
        "dezesseis" | "dezasseis" => Part::Teen(16),
        "dezessete" | "dezassete" => Part::Teen(17),
        "dezoito" => Part::Teen(18),
        "dezenove" | "dezanove" => Part::Teen(19),
        "vinte" => Part::Ten(20),
        "trinta" => Part::Ten(30),
        "quarenta" => Part::Ten(40),
        "cinquenta" => Part::Ten(50),
        "sessenta" => Part::Ten(60),
        "setenta" => Part::Ten(70),
        "oitenta" => Part::Ten(80),
        "noventa" => Part::Ten(90),
        "cem" | "cento" => Part::Whole(100),
        "duzentos" | "duzentas" => Part::Whole(200),
        "trezentos" | "trezentas" => Part::Whole(300),
        "quatrocentos" | "quatrocentas" => Part::Whole(400),
        "quinhentos" | "quinhentas" => Part::Whole(500),
        "seiscentos" | "seiscentas" => Part::Whole(600),
        "setecentos" | "setecentas" => Part::Whole(700),
        "oitocentos" | "oitocentas" => Part::Whole(800),
        "novecentos" | "novecentas" => Part::Whole(900),
        "mil" => Part::Scale(1_000),
        "milhao" => Part::Scale(1_000_000),
        "milhoes" => Part::Scales(1_000_000),
        _ => return None,
    })
}

fn spanish(word: &str) -> Option<Part> {
    Some(match word {
        "cero" => Part::Zero,
        "un" | "uno" | "una" => Part::Unit(1),
        "dos" => Part::Unit(2),
        "tres" | "tercero" | "tercera" | "tercer" => Part::Unit(3),
        "cuatro" => Part::Unit(4),
        "cinco" => Part::Unit(5),
        "seis" => Part::Unit(6),
        "siete" => Part::Unit(7),
        "ocho" => Part::Unit(8),
        "nueve" => Part::Unit(9),
        "diez" => Part::Teen(10),
        "once" => Part::Teen(11),
        "doce" => Part::Teen(12),
        "trece" => Part::Teen(13),
        "catorce" => Part::Teen(14),
        "quince" => Part::Teen(15),
        "dieciseis" => Part::Teen(16),
        "diecisiete" => Part::Teen(17),
        "dieciocho" => Part::Teen(18),
        "diecinueve" => Part::Teen(19),
        "veintiun" | "veintiuno" | "veintiuna" => Part::Teen(21),
        "veintidos" => Part::Teen(22),
        "veintitres" => Part::Teen(23),
        "veinticuatro" => Part::Teen(24),
        "veinticinco" => Part::Teen(25),
        "veintiseis" => Part::Teen(26),
        "veintisiete" => Part::Teen(27),
        "veintiocho" => Part::Teen(28),
        "veintinueve" => Part::Teen(29),
        "veinte" => Part::Ten(20),
        "treinta" => Part::Ten(30),
        "cuarenta" => Part::Ten(40),
        "cincuenta" => Part::Ten(50),
        "sesenta" => Part::Ten(60),
        "setenta" => Part::Ten(70),
        "ochenta" => Part::Ten(80),
        "noventa" => Part::Ten(90),
        "cien" | "ciento" => Part::Whole(100),
        "doscientos" | "doscientas" => Part::Whole(200),
        "trescientos" | "trescientas" => Part::Whole(300),
        "cuatrocientos" | "cuatrocientas" => Part::Whole(400),
        "quinientos" | "quinientas" => Part::Whole(500),
        "seiscientos" | "seiscientas" => Part::Whole(600),
        "setecientos" | "setecientas" => Part::Whole(700),
        "ochocientos" | "ochocientas" => Part::Whole(800),
        "novecientos" | "novecientas" => Part::Whole(900),
        "mil" => Part::Scale(1_000),
        "millon" => Part::Scale(1_000_000),
        "millones" => Part::Scales(1_000_000),
        _ => return None,
    })
}
