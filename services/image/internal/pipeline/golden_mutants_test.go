package pipeline

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"calotype/services/image/internal/recipe"
)

// mutant is a case's recipe with one number, or one colour, off by a tenth.
type mutant struct {
	path, says string
	variant    recipe.Variant
}

func mutants(t testing.TB, c goldenCase) (all []mutant) {
	t.Helper()
	for leaf := 0; ; leaf++ {
		done := true
		for _, sign := range []int{1, -1} {
			v, n := c.variant(t), 0
			var m mutant
			walk(reflect.ValueOf(&v).Elem(), "", func(path string, at reflect.Value) {
				if n++; n-1 == leaf {
					m.path, m.says = path, fmt.Sprint(path, " ", at.Interface())
					off(at, sign)
					m.says += fmt.Sprint(" as ", at.Interface())
				}
			})
			if m.path == "" {
				break
			}
			done = false
			if m.variant = v; len(v.Check()) == 0 {
				all = append(all, m)
				break
			}
		}
		if done {
			return all
		}
	}
}

// off changes a value by a tenth, at least by 1 where it is whole.
func off(at reflect.Value, sign int) {
	switch at.Kind() {
	case reflect.Int:
		by := max(1, int64(math.Round(math.Abs(float64(at.Int()))/10)))
		at.SetInt(at.Int() + int64(sign)*by)
	case reflect.Float64:
		at.SetFloat(at.Float() * (1 + float64(sign)/10))
	default:
		c := []byte(at.String())
		for i := 0; i < 6; i += 2 {
			var v int
			_, _ = fmt.Sscanf(string(c[i:i+2]), "%02x", &v)
			if v += 26 * sign; v > 255 || v < 0 {
				v -= 52 * sign
			}
			copy(c[i:], fmt.Sprintf("%02x", v))
		}
		at.SetString(string(c))
	}
}

// walk visits every number that is not 0, and every colour.
func walk(v reflect.Value, path string, visit func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i), visit)
		}
	case reflect.Interface:
		inner := reflect.New(v.Elem().Type()).Elem()
		inner.Set(v.Elem())
		walk(inner, path, visit)
		v.Set(inner)
	case reflect.Int, reflect.Float64:
		if !v.IsZero() {
			visit(path, v)
		}
	case reflect.String:
		if _, ok := v.Interface().(recipe.Color); ok && v.Len() >= 6 && v.String() != string(recipe.Transparent) && v.String() != string(recipe.Blurred) {
			visit(path, v)
		}
	}
}
