//! What nobody said is not in a transcript.

use afterbeep::speech::tags::spoken;

#[test]
fn tags_are_removed_and_words_stay() {
    let table = [
        ("[BLANK_AUDIO]", ""),
        (" [ Silence ]", ""),
        ("(Bell)", ""),
        ("(whistling) (Bell)", ""),
        ("*coughs*", ""),
        ("♪ music ♪", ""),
        (" ... ", ""),
        ("", ""),
        (" Hello, it's  Marie.\n", "Hello, it's Marie."),
        ("[BLANK_AUDIO] Call me back.", "Call me back."),
        ("Call me (coughs) back.", "Call me back."),
        ("It is (unfinished", "It is (unfinished"),
        ("Press * and wait", "Press * and wait"),
        ("Rappelez-moi à 14 h.", "Rappelez-moi à 14 h."),
        ("one\u{7}two\u{1b}[31m", "one two [31m"),
        ("5", "5"),
    ];
    for (written, said) in table {
        assert_eq!(spoken(written), said, "{written:?}");
    }
}
