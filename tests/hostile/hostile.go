// Package hostile generates symbols and requests of an attacker, and checks that a store takes them for data. A seed
// fixes what is generated.
package hostile

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// breakouts are texts that end a literal or a pattern of a query language, a path or a line, or that look like another
// text. Each makes a symbol invalid.
var breakouts = []string{
	"' OR '1'='1", `" OR 1=1 --`, "'; DROP TABLE marketdata.bars; --", "'; DROP TABLE bars; --", "$$; SELECT pg_sleep(9); $$",
	"'/*", "*/ OR 1=1", `\'; --`, "') UNION SELECT 1 --", "E'\\047'", "?; ?", ":p; --", "$1; $2 ;",
	`"; DROP MEASUREMENT bars; --`, `' OR symbol =~ /.*/`, "/.*/ ~", "|> from(bucket: \"_internal\")", `${env}`, "\"\"\") import \"sql\"",
	",symbol=X", " bars,symbol=X open=1 1\n", "=~", "%", "*", "?", "[A-Z]", "{A,B}", "(?i)", "~", "`id`", "<script>", "{{.}}",
	"..\\..\\", "../../etc/passwd\x00", "%2e%2e%2f", "file:///etc/passwd?",
	"\x00", "\x1b[2J", "\x1b]0;owned\x07", "\r\nX-Injected: 1", "\n", "\t", "\x7f", "\u0085", "\u009b2J", " ", "\u00a0",
	"\u202egpj.exe", "\u2066", "\u200b", "\ufeff", "\U000e0041", "\ufffd",
	"В", "\u0391", "ＢＴＣ", "é", "e\u0301", "ß", "İ", "ſ", // Cyrillic, Greek, full width, and letters that change with their case
	"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "A\xcc",
}

// plain are parts of symbols.
var plain = []string{"", "BTC/USD", "BTC", "A", "-", "/", "..", "0", "K:BTC/USD", "SELECT", "_"}

// huge is longer than any limit.
var huge = strings.Repeat("A", 10<<20)

// Generator generates hostile input. It is for one goroutine.
type Generator struct{ random *rand.Rand }

// New returns a generator. Equal seeds generate the same.
func New(seed uint64) *Generator { return &Generator{rand.New(rand.NewPCG(seed, seed))} }

// Symbol returns an invalid symbol.
func (g *Generator) Symbol() domain.Symbol {
	switch g.random.IntN(20) {
	case 0:
		return ""
	case 1:
		return domain.Symbol(huge[:domain.MaxSymbolLength+1+g.random.IntN(len(huge)-domain.MaxSymbolLength)])
	case 2:
		return domain.Symbol(strings.Repeat(pick(g, breakouts), 1+g.random.IntN(100)))
	}

	return domain.Symbol(pick(g, plain) + pick(g, breakouts) + pick(g, plain))
}

// Request returns a request that must be refused for its symbol, its range, its frequency or its limit.
func (g *Generator) Request() domain.DataRequest {
	year := func(n int) time.Time { return time.Date(n, 1, 1, 0, 0, 0, g.random.IntN(1e9), time.UTC) }
	r := domain.DataRequest{
		Key:   domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Second1.UTC()},
		Start: year(2020), End: year(2021),
	}
	switch g.random.IntN(12) {
	case 0: // more than 10^9 bars, which end before now
		r.Start, r.End = year(1700+g.random.IntN(250)), year(2020)
	case 1:
		r.End = year(10_000 + g.random.IntN(1_000_000))
	case 2:
		r.Start = year(-g.random.IntN(1_000_000))
	case 3:
		r.Start, r.End = r.End, r.Start
	case 4:
		r.Key.Grid = domain.Grid{}
	case 5:
		r.First = -1 - g.random.IntN(1<<40)
	case 6:
		r.Last = 1<<40 + g.random.IntN(1<<40)
	case 7:
		r.First, r.Last = 1, 1
	case 8:
		r.Key.PriceType = domain.PriceType(100 + g.random.IntN(100))
	case 9:
		r.Quality = domain.QualityPolicy(100 + g.random.IntN(100))
	default:
		r.Key.Symbol = g.Symbol()
	}

	return r
}

func pick(g *Generator, texts []string) string { return texts[g.random.IntN(len(texts))] }
