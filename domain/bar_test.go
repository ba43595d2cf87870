package domain

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestBarJSONRefusesWhatIsAbsent(t *testing.T) {
	t.Parallel()
	whole := `{"time":"2018-04-04T02:00:00+02:00","open":"1","high":2,"low":"0.5","close":"1.50","volume":"0","trades":3}`
	var b Bar
	if err := json.Unmarshal([]byte(whole), &b); err != nil || b.String() != "2018-04-04T00:00:00Z o=1 h=2 l=0.5 c=1.5 v=0 n=3" {
		t.Fatalf("%s, %v", b, err)
	}

	for _, field := range []string{"time", "open", "high", "low", "close", "volume"} {
		without := strings.Replace(whole, `"`+field+`"`, `"other"`, 1)
		if err := json.Unmarshal([]byte(without), &b); !errors.Is(err, ErrInvalid) {
			t.Errorf("without %s: %v", field, err)
		}
	}

	if err := json.Unmarshal([]byte(strings.Replace(whole, `"0.5"`, "null", 1)), &b); !errors.Is(err, ErrInvalid) {
		t.Errorf("null: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"open":"x"}`), &b); !errors.Is(err, ErrInvalid) {
		t.Errorf("no number: %v", err)
	}
}

// An unknown trade count is null in JSON, never 0 beside a volume; a known 0 is 0.
func TestUnknownTradeCountIsNull(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		volume string
		trades int64
		want   string
	}{
		{"7", 0, `"trades":null`}, {"7", 3, `"trades":3`}, {"0", 0, `"trades":0`},
	} {
		bar := Bar{Volume: MustDecimal(test.volume), Trades: test.trades}
		text, err := json.Marshal(bar)
		if err != nil || !strings.Contains(string(text), test.want) {
			t.Errorf("%s trades in %s: %s, %v; want %s", test.volume, bar, text, err, test.want)
		}

		var back Bar
		if err := json.Unmarshal(text, &back); err != nil || !back.Equal(bar) {
			t.Errorf("%s came back as %s, %v", bar, back, err)
		}
	}
}
