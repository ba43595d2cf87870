package domain

import (
	"regexp"
	"strings"
	"testing"
)

// FuzzMatches holds the matcher to the same pattern as a regular expression.
func FuzzMatches(f *testing.F) {
	for _, seed := range [][2]string{
		{"", ""}, {"*", ""}, {"*", "BTC/USD"}, {"BTC/*", "BTC/USD"}, {"*USD", "BTC/USDUSD"}, {"?", ""}, {"?*?", "A"}, {"*A*B*", "AABAB"},
		{"**", "A"}, {"A_C", "ABC"}, {"A.C", "ABC"}, {`A\*`, "A*"}, {"[A]", "A"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		var bytewise strings.Builder // one rune a byte, so that ? is any one byte
		for i := range len(pattern) {
			switch pattern[i] {
			case '*':
				bytewise.WriteString(".*")
			case '?':
				bytewise.WriteByte('.')
			default:
				bytewise.WriteString(regexp.QuoteMeta(string(rune(pattern[i]))))
			}
		}

		var runes strings.Builder
		for i := range len(text) {
			runes.WriteRune(rune(text[i]))
		}
		want := regexp.MustCompile(`^(?s:` + bytewise.String() + `)$`).MatchString(runes.String())
		if got := Symbol(text).Matches(pattern); got != want {
			t.Errorf("Symbol(%q).Matches(%q) is %t, want %t", text, pattern, got, want)
		}
	})
}
