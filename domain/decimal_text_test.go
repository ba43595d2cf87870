package domain

import (
	"errors"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var decimalText = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// parseOracle is what ParseDecimal has to answer, by big.Rat.
func parseOracle(s string) (n *big.Int, ok bool) {
	if len(s) > maxDecimalText || !decimalText.MatchString(s) {
		return nil, false
	}

	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if e, err := strconv.Atoi(s[i+1:]); err != nil || e < -maxExponent || e > maxExponent {
			return nil, false
		}
	}

	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, false
	}

	r.Mul(r, new(big.Rat).SetInt(ten18))

	return r.Num(), r.IsInt() && inRange(r.Num())
}

func agreesWithOracle(t interface {
	Helper()
	Fatalf(string, ...any)
}, s string) {
	t.Helper()
	d, err := ParseDecimal(s)
	want, ok := parseOracle(s)
	if !ok {
		if !errors.Is(err, ErrInvalid) {
			t.Fatalf("%q is %s, %v; want a refusal", s, d, err)
		}
		return
	}
	if err != nil || oracle(d).Cmp(want) != 0 || d.String() != plain(want) {
		t.Fatalf("%q is %s, %v; want %s", s, d, err, plain(want))
	}

	again, err := ParseDecimalBytes([]byte(d.String()))
	if err != nil || !again.Equal(d) {
		t.Fatalf("%s reads back as %s, %v", d, again, err)
	}
}

func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"0", "-0", "1", "-1.50", "0.001", "1e-8", "1E+19", "99999999999999999999.999999999999999999",
		"100000000000000000000", "0.0000000000000000001", "1.", ".5", "+1", "", "-", "1e", "0x1", "1_0", "NaN", "Inf", " 1", "1e999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { agreesWithOracle(t, s) })
}

func TestParseDecimalAgainstBig(t *testing.T) {
	check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign") + digits(t, 1, 22, "integer")
		if fraction := digits(t, 0, 40, "fraction"); fraction != "" {
			text += "." + fraction
		}
		if rapid.Bool().Draw(t, "exponent") {
			text += rapid.SampledFrom([]string{"e", "E", "e+", "e-"}).Draw(t, "e") + strconv.Itoa(rapid.IntRange(0, 60).Draw(t, "exponent digits"))
		}
		agreesWithOracle(t, text)
	})
}

func TestDecimalTextAgainstBig(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := anyDecimal().Draw(t, "d")
		want := plain(oracle(d))
		b, err := d.AppendText([]byte("x"))
		m, merr := d.MarshalText()
		if d.String() != want || string(b) != "x"+want || string(m) != want || err != nil || merr != nil {
			t.Fatalf("%q, %q, %q; want %q", d.String(), b, m, want)
		}
		if d.GoString() != `domain.MustDecimal("`+want+`")` {
			t.Fatal(d.GoString())
		}
		if f := must(strconv.ParseFloat(want, 64)); d.float() != f {
			t.Fatalf("%s as a float is %v, want %v", d, d.float(), f)
		}
	})
}

func TestParseDecimalLimits(t *testing.T) {
	t.Parallel()
	nines := strings.Repeat("9", MaxIntegerDigits)
	for name, c := range map[string]struct{ text, want string }{
		"largest":                {nines + "." + strings.Repeat("9", MaxScale), nines + "." + strings.Repeat("9", MaxScale)},
		"smallest":               {"0." + strings.Repeat("0", MaxScale-1) + "1", "0." + strings.Repeat("0", MaxScale-1) + "1"},
		"minus zero":             {"-0.00", "0"},
		"trailing zeros":         {"1." + strings.Repeat("0", 30), "1"},
		"leading zeros":          {strings.Repeat("0", 30) + "1", "1"},
		"far exponent":           {"0." + strings.Repeat("0", 99) + "1e100", "1"},
		"far negative exponent":  {"1" + strings.Repeat("0", 100) + "e-100", "1"},
		"21 digits before":       {"1" + strings.Repeat("0", MaxIntegerDigits), ""},
		"21 digits by exponent":  {"1e20", ""},
		"19 digits after":        {"0." + strings.Repeat("0", MaxScale) + "1", ""},
		"19 digits by exponent":  {"1e-19", ""},
		"longer than it may be":  {strings.Repeat("0", maxDecimalText) + "1", ""},
		"exponent without limit": {"1e99999999999999999999", ""},
		"hexadecimal":            {"0x10", ""},
		"plus":                   {"+1", ""},
		"two points":             {"1.2.3", ""},
		"wide digits":            {"１", ""},
	} {
		d, err := ParseDecimal(c.text)
		if c.want == "" {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: %s is %s, %v; want a refusal", name, c.text, d, err)
			}
		} else if err != nil || d.String() != c.want {
			t.Errorf("%s: %s is %s, %v; want %s", name, c.text, d, err, c.want)
		}
	}

	if _, err := ParseDecimal("1e20"); !errors.Is(err, ErrOverflow) {
		t.Errorf("too many digits: %v, want one that wraps ErrOverflow", err)
	}
}

func TestMustDecimalPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, ErrInvalid) {
			t.Errorf("panicked with %v", err)
		}
	}()
	MustDecimal("one")
}

func TestDecimalTextDoesNotAllocate(t *testing.T) {
	d, buf := MustDecimal("-7424.910000001"), make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { buf, _ = d.AppendText(buf[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
