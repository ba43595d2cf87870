package wiring

import (
	"errors"
	"fmt"
	"os"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
)

// EnvPrefix begins the name of every environment variable that Load reads: MARKETDATA_SQLITE_PATH sets sqlite.path.
const EnvPrefix = "MARKETDATA_"

// Load reads the YAML file, then the environment, fills in the defaults and validates. With path "" it reads no file. An unknown
// or repeated key is refused with its line.
func Load(path string) (Config, error) {
	var c Config
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("read configuration: %w", err)
		}
		if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
			return Config{}, located(path, err)
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

// located is the fault with the file's name and line, in one line.
func located(path string, err error) error {
	var fault yaml.Error
	if !errors.As(err, &fault) || fault.GetToken() == nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("%s:%d: %s", path, fault.GetToken().Position.Line, fault.GetMessage())
}

// readEnvironment sets what variables set, one at a time, so that a fault names its variable.
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

// cause is what is wrong with a variable's value, without the name of the Go field.
func cause(err error) error {
	if fault := (env.ParseError{}); errors.As(err, &fault) {
		return fault.Err
	}
	return err
}
