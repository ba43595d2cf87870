package wiring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a configuration file. A file that sets every field has a tenth of maxFileBytes, and two levels. The YAML
// parser takes gigabytes of memory for a file of opening brackets without the bounds.
const (
	maxFileBytes = 64 << 10
	maxNesting   = 16
)

// Load returns the configuration of the YAML file at path and of the environment, validated and with every default
// filled in. The environment overrides the file. If path is empty, Load reads no file. An error of the file names its
// line, and an unknown or repeated key is an error. So is a file of over 64 KiB.
//
// Load warns through the logger of each of the UnknownVariables; a nil logger discards the warnings.
func Load(path string, logger *slog.Logger) (Config, error) {
	var c Config
	if path != "" {
		if err := readFile(path, &c); err != nil {
			return Config{}, err
		}
	}

	if err := readEnvironment(&c); err != nil {
		return Config{}, err
	}
	if logger != nil {
		for _, v := range UnknownVariables() {
			logger.Warn("unknown environment variable", "name", v.Name, "nearest", v.Nearest)
		}
	}

	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}

	return c.WithDefaults(), nil
}

// readFile decodes the file into c. The file must contain at most one YAML document.
func readFile(path string, c *Config) error {
	text, err := readBounded(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if line, err := checkTokens(string(text)); err != nil {
		return fmt.Errorf("%s:%d: %w", path, line, err)
	}

	document := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := document.Decode(c); err != nil && !errors.Is(err, io.EOF) { // an empty file sets nothing
		return withLocation(path, err)
	}

	var more any
	if err := document.Decode(&more); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: more than one YAML document; keep one", path)
	}

	return nil
}

// readBounded returns the text of the file, or an error if it is longer than maxFileBytes.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}

	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("%s: longer than %d KiB; a configuration is shorter", path, maxFileBytes>>10)
	}

	return text, nil
}

// checkTokens returns the line of the first fault that the decoder would not see: brackets, or lists that begin on one
// line, that are nested more than maxNesting deep, and a fraction, which it would cut off.
func checkTokens(text string) (line int, err error) {
	brackets, lists := 0, 0
	for _, t := range lexer.Tokenize(text) {
		if t.Position.Line != line {
			line, lists = t.Position.Line, 0
		}

		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.MappingKeyType:
			lists++
		case token.FloatType:
			return line, fmt.Errorf("%q: give a whole number, or a text in quotes", t.Value)
		default:
		}
		if brackets+lists > maxNesting {
			return line, fmt.Errorf("more than %d levels of brackets or lists", maxNesting)
		}
	}

	return 0, nil
}

// wrongType and wrongDuration are the texts of the decoders for a value of another Go type than the field's.
var (
	wrongType     = regexp.MustCompile(`^cannot unmarshal .* into Go .* of type ([a-zA-Z0-9.]+)`)
	wrongDuration = regexp.MustCompile(`time: (?:invalid|missing unit in|unknown unit .* in) duration (".*")$`)
)

// withLocation returns err behind the file's name and, if the error has one, its line.
func withLocation(path string, err error) error {
	text := err.Error()
	if fault := yaml.Error(nil); errors.As(err, &fault) && fault.GetToken() != nil {
		path = fmt.Sprintf("%s:%d", path, fault.GetToken().Position.Line)
		text = yamlText(fault)
	}
	if m := wrongDuration.FindStringSubmatch(text); m != nil {
		text = m[1] + ": " + wantedValue("time.Duration")
	}

	return fmt.Errorf("%s: %s", path, text)
}
