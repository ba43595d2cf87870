package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/pagetoken"
)

// pageFlags are the flags that request one page.
type pageFlags struct {
	size  int
	token string
	flags *pflag.FlagSet
}

func (p *pageFlags) register(flags *pflag.FlagSet) {
	p.flags = flags
	flags.IntVar(&p.size, "page-size", 0, "print the first `n` bars, and the token of the next page")
	flags.StringVar(&p.token, "page", "",
		"continue after the page that printed this next page `token`; without --page-size, print all remaining bars")
}

// isSet reports whether a page is requested. An empty token requests the first page.
func (p *pageFlags) isSet() bool { return p.flags.Changed("page-size") || p.flags.Changed("page") }

// request returns the request for the page. whole is the request for all pages, r are its times as the user gave them.
func (p *pageFlags) request(whole domain.DataRequest, r rangeFlags) (domain.DataRequest, error) {
	if !p.isSet() {
		return whole, nil
	}
	if err := checkFixed(r.startName, r.start, whole.Start); err != nil {
		return whole, err
	}
	if err := checkFixed(r.endName, r.end, whole.End); err != nil {
		return whole, err
	}

	whole.First = p.size
	if p.token == "" {
		return whole, nil
	}

	return pagetoken.Token(p.token).Resume(whole)
}

// checkFixed refuses a time that is relative to now, because it would differ from page to page.
func checkFixed(name, text string, t time.Time) error {
	if text != "now" && !strings.HasPrefix(text, "-") {
		return nil
	}

	return userErrorf("--%s %s changes from page to page; give --%s %s",
		name, text, name, stamp(t.Truncate(time.Second)))
}

// next returns how to continue after the page; nil where no page was requested.
func (p *pageFlags) next(whole domain.DataRequest, page domain.Result) (*nextPage, error) {
	if !p.isSet() {
		return nil, nil
	}
	if !whole.End.IsZero() && !page.Next.Before(whole.End) {
		return &nextPage{Complete: true}, nil
	}

	token, err := pagetoken.New(whole, page.Next)
	if err != nil {
		return nil, err
	}

	return &nextPage{Token: token, Complete: p.size == 0 || page.Series.Len() < p.size}, nil
}

// nextPage says how to continue after a page. There is no token where the range ends with the page. Complete is false
// where there may be more bars now.
type nextPage struct {
	Token    pagetoken.Token `json:"next_page_token,omitempty"`
	Complete bool            `json:"complete"`
}

// print writes the token and the completeness on lines of their own, so that a script finds them.
func (n nextPage) print(w io.Writer) {
	if n.Token != "" {
		fmt.Fprintln(w, "next page token:", n.Token)
	}
	fmt.Fprintln(w, "complete:", n.Complete)
}
