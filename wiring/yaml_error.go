package wiring

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/goccy/go-yaml"
)

// yamlFaults are the texts of the YAML parser, and what is wrong and what to do in words for people. $1 is the first
// group of the pattern.
var yamlFaults = []struct {
	parser *regexp.Regexp
	people string
}{
	{regexp.MustCompile(`^sequence end token`), `a "[" without its "]"; a text that begins with "[" needs quotes`},
	{regexp.MustCompile(`^could not find flow map`), `a "{" without its "}"; a text that begins with "{" needs quotes`},
	{regexp.MustCompile(`^found character '\t'`), "a tab; indent with spaces"},
	{regexp.MustCompile(`^mapping value is not allowed`), `a second ":"; put a text with ": " in quotes, ` +
		"and a setting of a section in a line of its own"},
	{regexp.MustCompile(`^could not find end character of (?:double|single)-quoted`), "a quote without its end"},
	{regexp.MustCompile(`^mapping key "(.*)" already defined at \[(\d+):`), `"$1" is set twice, first in line $2`},
	{regexp.MustCompile(`^could not find alias`), `a text that begins with "*" needs quotes`},
	{regexp.MustCompile(`^.* was used where mapping is expected`), "no section with settings; marketdata config prints " +
		"a whole file"},
}

// Bounds of the search for a setting that is misspelled: of its length, because the search takes the product of two
// lengths, and of the letters that may be wrong.
const (
	maxNameBytes = 64
	maxTypo      = 2
)

// unknownField is the text of the YAML parser for a key that the configuration does not have.
var unknownField = regexp.MustCompile(`^unknown field "(.*)"`)

// yamlText returns the text of an error of the YAML parser in words for people.
func yamlText(fault yaml.Error) string {
	text := fault.GetMessage()
	if m := wrongType.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("%q: %s", fault.GetToken().Value, wantedValue(m[1]))
	}
	if m := unknownField.FindStringSubmatch(text); m != nil {
		hint := ""
		if len(m[1]) > maxNameBytes {
			return "unknown setting; marketdata config lists all"
		}
		if nearest := nearestName(m[1], settingNames()); levenshtein.Distance(m[1], nearest, nil) <= maxTypo {
			hint = "did you mean " + nearest + "? "
		}

		return fmt.Sprintf("unknown setting %q; %smarketdata config lists all", m[1], hint)
	}
	for _, known := range yamlFaults {
		if m := known.parser.FindStringSubmatchIndex(text); m != nil {
			return string(known.parser.ExpandString(nil, known.people, text, m))
		}
	}

	return text
}

// settingNames returns the names of the sections and settings of a configuration file.
func settingNames() []string {
	var names []string
	for path := range settingHelp {
		names = append(names, strings.Split(path, ".")...)
	}
	slices.Sort(names)

	return slices.Compact(names)
}
