package wiring

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
)

// EnvPrefix begins the name of every environment variable that Load reads: MARKETDATA_SQLITE_PATH sets sqlite.path.
const EnvPrefix = "MARKETDATA_"

// Load returns the configuration of the YAML file at path and of the environment, validated and with every default
// filled in. The environment overrides the file. If path is empty, Load reads no file. An error of the file names its
// line, and an unknown or repeated key is an error.
func Load(path string) (Config, error) {
	var c Config
	if path != "" {
		if err := readFile(path, &c); err != nil {
			return Config{}, err
		}
	}

	if err := readEnvironment(&c); err != nil {
		return Config{}, err
	}

	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}

	return c.WithDefaults(), nil
}

// readFile decodes the file into c. The file must contain at most one YAML document.
func readFile(path string, c *Config) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
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

// withLocation returns err behind the file's name and, if the error has one, its line.
func withLocation(path string, err error) error {
	text := err.Error()
	if fault := yaml.Error(nil); errors.As(err, &fault) && fault.GetToken() != nil {
		path = fmt.Sprintf("%s:%d", path, fault.GetToken().Position.Line)
		text = fault.GetMessage()
	}

	if strings.Contains(strings.ToLower(text), "duration") {
		text += "; write a duration with its unit, like 30s or 1m30s"
	}

	return fmt.Errorf("%s: %s", path, text)
}

// readEnvironment sets the fields whose variables are set. It parses one variable at a time, so that an error names its
// variable.
func readEnvironment(c *Config) error {
	fields, err := env.GetFieldParamsWithOptions(c, env.Options{Prefix: EnvPrefix})
	if err != nil {
		return err
	}

	var faults []error
	for _, f := range fields {
		value, set := os.LookupEnv(f.Key)
		if f.OwnKey == "" || !set {
			continue
		}

		one := env.Options{Prefix: EnvPrefix, Environment: map[string]string{f.Key: value}}
		if err := env.ParseWithOptions(c, one); err != nil {
			faults = append(faults, fmt.Errorf("environment variable %s: %w", f.Key, cause(err)))
		}
	}

	return errors.Join(faults...)
}

// cause returns the error of a variable's value without the name of the Go field.
func cause(err error) error {
	if fault := (env.ParseError{}); errors.As(err, &fault) {
		return fault.Err
	}

	return err
}
