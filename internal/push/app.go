package push

// DefaultApp is the app of a tenant whose notifications name none.
const DefaultApp = "default"

// MaxName is the length of the longest name of a tenant or an app, in bytes.
const MaxName = 40

// AppName returns the name of an app: "" stands for [DefaultApp].
func AppName(app string) string {
	if app == "" {
		return DefaultApp
	}
	return app
}

// CheckName says why s cannot be the name of a tenant or an app, "" if it can.
func CheckName(s string) (why string) {
	const form = "must have 1..40 of a-z, 0-9 and -, and begin with a letter or a digit"
	if s == "" || len(s) > MaxName || s[0] == '-' {
		return form
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return form
		}
	}
	return ""
}
