package monitoring

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	quoted   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	ignored  = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right) *\([^)]*\)|\boffset +\w+`)
	word     = regexp.MustCompile(`\b[a-zA-Z_][a-zA-Z0-9_:]*( *\()?`)
	selector = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`([a-zA-Z_]\w*) *(?:=~|!~|!=|=)`)

	increase = regexp.MustCompile(`increase\((\w+)\{([^}]*)\}\[`)
	named    = regexp.MustCompile(`(\w+) *=~? *"([\w|]+)"`)
)

var operators = []string{"and", "or", "unless", "bool", "by", "without", "on", "ignoring", "group_left", "group_right", "inf", "nan"}

// Metrics are the names of the metrics in an expression.
func Metrics(expr string) []string {
	rest := ignored.ReplaceAllString(quoted.ReplaceAllString(expr, `""`), " ")
	var names []string
	for _, w := range word.FindAllString(rest, -1) {
		if !strings.HasSuffix(w, "(") && !slices.Contains(operators, strings.ToLower(w)) && !slices.Contains(names, w) {
			names = append(names, w)
		}
	}
	return names
}

// Labels are those by which an expression chooses, by metric.
func Labels(expr string) map[string][]string {
	chosen := map[string][]string{}
	for _, s := range selector.FindAllStringSubmatch(quoted.ReplaceAllString(expr, `""`), -1) {
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			chosen[s[1]] = append(chosen[s[1]], m[1])
		}
	}
	return chosen
}

// Awaited are the series of whose first increase an alarm tells, as selectors. It is an increase only if there was a 0 before.
func Awaited(expr string) []string {
	if !strings.HasSuffix(expr, "> 0") {
		return nil
	}
	var all []string
	for _, counter := range increase.FindAllStringSubmatch(expr, -1) {
		for _, label := range named.FindAllStringSubmatch(counter[2], -1) {
			for value := range strings.SplitSeq(label[2], "|") {
				all = append(all, fmt.Sprintf("%s{%s=%q}", counter[1], label[1], value))
			}
		}
	}
	return all
}
