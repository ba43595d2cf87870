package main

import (
	"encoding/json"
	"io"
	"reflect"
)

// writeJSON writes v as indented JSON.
func writeJSON[T any](w io.Writer, v T) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")

	return e.Encode(withLists(v))
}

// writeNDJSON writes one JSON object per line.
func writeNDJSON[T any](w io.Writer, records func(func(T) bool)) error {
	e := json.NewEncoder(w)
	for r := range records {
		if err := e.Encode(withLists(r)); err != nil {
			return err
		}
	}

	return nil
}

// withLists returns v with an empty list in place of each nil one, which JSON would show as null. It looks into the
// fields of structs, and at the elements of lists.
func withLists[T any](v T) T {
	setLists(reflect.ValueOf(&v).Elem())
	return v
}

func setLists(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Field(i); field.CanSet() {
				setLists(field)
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
			return
		}
		if !hasLists(v.Type().Elem()) {
			return
		}

		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len()) // because the caller keeps v
		reflect.Copy(copied, v)
		for i := range copied.Len() {
			setLists(copied.Index(i))
		}
		v.Set(copied)
	case reflect.Pointer:
		if v.IsNil() || !hasLists(v.Type().Elem()) {
			return
		}

		copied := reflect.New(v.Type().Elem())
		copied.Elem().Set(v.Elem())
		setLists(copied.Elem())
		v.Set(copied)
	default:
	}
}

// hasLists reports whether a value of the type may have lists that setLists sets.
func hasLists(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		return true
	case reflect.Struct:
		for i := range t.NumField() {
			if field := t.Field(i); field.IsExported() && hasLists(field.Type) {
				return true
			}
		}
	default:
	}

	return false
}
