package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/domain"
)

// paging is the flags that ask for a page of a request.
type paging struct {
	size  int
	token string
	flags *pflag.FlagSet
}

func (p *paging) register(flags *pflag.FlagSet) {
	p.flags = flags
	flags.IntVar(&p.size, "page-size", 0, "only the first `n` of the range, and a token to go on with")
	flags.StringVar(&p.token, "page", "", "go on with the `token` of the page before; without --page-size, with all that is left")
}

// given reports whether a page is asked for. An empty token asks for the first one.
func (p *paging) given() bool { return p.flags.Changed("page-size") || p.flags.Changed("page") }

// request is the request for the page: whole is that for all of them, of the times that the user gave.
func (p *paging) request(whole domain.DataRequest, times span) (domain.DataRequest, error) {
	if !p.given() {
		return whole, nil
	}

	for _, bound := range []struct {
		name, text string
		is         string
	}{{times.startName, times.start, stamp(whole.Start.Truncate(time.Second))}, {times.endName, times.end, stamp(whole.End.Truncate(time.Second))}} {
		if bound.text == "now" || strings.HasPrefix(bound.text, "-") {
			return whole, userError{fmt.Errorf("--%s %s is another time for every page; give --%s %s", bound.name, bound.text, bound.name, bound.is)}
		}
	}

	whole.First = p.size
	if p.token == "" {
		return whole, nil
	}

	return domain.PageToken(p.token).Resume(whole)
}

// next says how to go on after a page.
func (p *paging) next(whole domain.DataRequest, page domain.Result) (nextPage, error) {
	if !p.given() {
		return nextPage{}, nil
	}

	n := nextPage{paged: true}
	if !whole.End.IsZero() && !page.Next.Before(whole.End) {
		return n, nil
	}

	n.More = p.size > 0 && page.Series.Len() >= p.size
	var err error
	n.Token, err = domain.NewPageToken(whole, page.Next)
	return n, err
}

// nextPage says what comes after a page: nothing, where it has no token.
type nextPage struct {
	Token domain.PageToken `json:"token,omitempty"`
	More  bool             `json:"more"` // now; else later
	paged bool
}

// orNil is nil where no page was asked for.
func (n nextPage) orNil() *nextPage {
	if !n.paged {
		return nil
	}
	return &n
}

// tell writes the token where a shell finds it.
func (n nextPage) tell(w io.Writer) {
	switch {
	case n.Token == "":
	case n.More:
		fmt.Fprintln(w, "page:", n.Token)
	default:
		fmt.Fprintln(w, "later:", n.Token)
	}
}
