package wiring

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/caarlos0/env/v11"
)

// EnvPrefix begins the name of every environment variable that Load reads: MARKETDATA_SQLITE_PATH sets sqlite.path.
const EnvPrefix = "MARKETDATA_"

// otherVariables are the variables, and prefixes that end in *, that begin with EnvPrefix and are not for Load: those
// of the tests, and those that Kubernetes sets in each pod beside a service that is named marketdata.
var otherVariables = []string{
	"TEST_*", "REQUIRE_SERVERS", "PORT", "PORT_*", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_*",
}

// UnknownVariable is an environment variable that begins with EnvPrefix and sets nothing.
type UnknownVariable struct {
	Name    string
	Nearest string // the variable with the most similar name that Load reads
}

// UnknownVariables returns the environment variables that begin with EnvPrefix and set nothing, such as
// MARKETDATA_POSTGRES_URL for MARKETDATA_POSTGRES_DSN, ordered by name. It leaves out those of the tests, and those of
// a Kubernetes service that is named marketdata.
func UnknownVariables() []UnknownVariable {
	known := variableNames()

	var unknown []UnknownVariable
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, EnvPrefix) && !slices.Contains(known, name) && !isOtherVariable(name) {
			unknown = append(unknown, UnknownVariable{Name: name, Nearest: nearestName(name, known)})
		}
	}
	slices.SortFunc(unknown, func(a, b UnknownVariable) int { return cmp.Compare(a.Name, b.Name) })

	return unknown
}

func isOtherVariable(name string) bool {
	return slices.ContainsFunc(otherVariables, func(other string) bool {
		prefix, isPrefix := strings.CutSuffix(EnvPrefix+other, "*")
		return name == prefix || isPrefix && strings.HasPrefix(name, prefix)
	})
}

// nearestName returns the known name with the fewest edits to the name.
func nearestName(name string, known []string) string {
	return slices.MinFunc(known, func(a, b string) int {
		return cmp.Compare(levenshtein.Distance(name, a, nil), levenshtein.Distance(name, b, nil))
	})
}

// variableNames returns the names of the variables that Load reads.
func variableNames() []string {
	fields, err := env.GetFieldParamsWithOptions(&Config{}, env.Options{Prefix: EnvPrefix})
	if err != nil {
		panic(err) // only a faulty tag of Config is an error
	}

	var names []string
	for _, f := range fields {
		if f.OwnKey != "" {
			names = append(names, f.Key)
		}
	}

	return names
}

// readEnvironment sets the fields whose variables are set. It parses one variable at a time, so that an error names its
// variable.
func readEnvironment(c *Config) error {
	var faults []error
	for _, name := range variableNames() {
		value, set := os.LookupEnv(name)
		if !set {
			continue
		}

		one := env.Options{Prefix: EnvPrefix, Environment: map[string]string{name: value}}
		if err := env.ParseWithOptions(c, one); err != nil {
			faults = append(faults, fmt.Errorf("environment variable %s: %w", name, cause(err)))
		}
	}

	return errors.Join(faults...)
}

// cause returns the error of a variable's value in words of people, without the name of the Go field.
func cause(err error) error {
	if fault := (env.ParseError{}); errors.As(err, &fault) {
		err = fault.Err
	}

	if number := (*strconv.NumError)(nil); errors.As(err, &number) {
		return fmt.Errorf("%q: %s", number.Num, wantedValue(strings.ToLower(strings.TrimPrefix(number.Func, "Parse"))))
	}
	if m := wrongDuration.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("%s: %s", m[1], wantedValue("time.Duration"))
	}

	return err
}

// wantedValue says which value a setting of the Go type takes.
func wantedValue(goType string) string {
	switch goType {
	case "bool":
		return "give true or false"
	case "time.Duration":
		return "write a duration with its unit, like 30s or 1m30s"
	}

	return "give a whole number below 9223372036854775808"
}
