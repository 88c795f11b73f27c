package cron

import "strings"

// maxSuggest is the length of the longest name that nearest looks at.
const maxSuggest = 64

// nearest is the one of names that differs least from name, in letters to
// change, add or drop; of equals, the first. Capitals do not count, blanks are
// underscores, and the place alone (Berlin) stands for the whole name.
func nearest(name string, names []string) string {
	if name == "" || len(name) > maxSuggest {
		return ""
	}
	name = fold(name)
	best, least := "", 1<<30
	for _, candidate := range names {
		d := 2 * distance(name, fold(candidate))
		if slash := strings.LastIndexByte(candidate, '/'); slash >= 0 {
			d = min(d, 2*distance(name, fold(candidate[slash+1:]))+1)
		}
		if d < least {
			best, least = candidate, d
		}
	}
	return best
}

func fold(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), " ", "_")
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
