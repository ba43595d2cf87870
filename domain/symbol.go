package domain

import "strings"

// MaxSymbolLength is the most bytes a Symbol has.
const MaxSymbolLength = 64

// Symbol names what is traded: BTC/USD, or with a venue in front COINBASE:BTC/USD. It is 1 to 64 bytes of A-Z 0-9 . _ :
// / - and is never altered: what is not a Symbol is refused.
type Symbol string

// ParseSymbol refuses what is not a Symbol; for one in lower case the error suggests the upper-case form.
func ParseSymbol(s string) (Symbol, error) {
	return Symbol(s), Symbol(s).Validate()
}

// Validate refuses a Symbol made by conversion that breaks the rules.
func (s Symbol) Validate() error {
	if s == "" {
		return invalid("symbol", "", "empty; name one like BTC/USD")
	}
	if len(s) > MaxSymbolLength {
		return invalid("symbol", string(s), "%d bytes; at most %d", len(s), MaxSymbolLength)
	}
	if s.wellFormed() {
		return nil
	}
	if upper := Symbol(strings.ToUpper(string(s))); upper.wellFormed() {
		return invalid("symbol", string(s), "lower case is not allowed; did you mean %q?", string(upper))
	}

	return invalid("symbol", string(s), "only A-Z 0-9 . _ : / - are allowed")
}

func (s Symbol) wellFormed() bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= '-' && c <= ':', c == '_': // '-' to ':' is - . / 0-9 :
		default:
			return false
		}
	}
	return true
}

// Venue is the part before the first colon, where that part holds no slash; else "". BTC/USDT:USDT-240628-70000-C has
// none.
func (s Symbol) Venue() string {
	venue, _, found := strings.Cut(string(s), ":")
	if !found || strings.Contains(venue, "/") {
		return ""
	}

	return venue
}

// Instrument is the Symbol without its venue.
func (s Symbol) Instrument() string {
	if v := s.Venue(); v != "" {
		return string(s[len(v)+1:])
	}
	return string(s)
}

// Matches reports whether the pattern matches all of the Symbol: * is any run of bytes, ? any one, every other byte
// itself.
func (s Symbol) Matches(pattern string) bool {
	star, resume := -1, 0 // where the last star was, and what it has not yet swallowed
	p, t := 0, 0
	for t < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[t]):
			p++
			t++
		case star >= 0: // let the last star swallow one more
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}

	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
