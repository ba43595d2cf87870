package domain

import (
	"encoding/json"
	"errors"
	"testing"
)

func TestFillPolicyTexts(t *testing.T) {
	t.Parallel()
	for p, text := range map[FillPolicy]string{FillNone: "none", FillPrevious: "previous"} {
		b, err := p.MarshalText()
		if err != nil || string(b) != text || p.String() != text {
			t.Errorf("%d is %s, %v", p, b, err)
		}
		var back FillPolicy
		if err := back.UnmarshalText(b); err != nil || back != p {
			t.Errorf("%s reads as %s, %v", b, back, err)
		}
	}

	var p FillPolicy
	if err := p.UnmarshalText([]byte("linear")); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if err := FillPolicy(7).Validate(); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := json.Marshal(DataRequest{Fill: 7}); err == nil {
		t.Error("a policy that is none has a text")
	}
}
