package door

// What tests have to know of the door's patience and limits.
const (
	OnceWait     = onceWait
	BodyPatience = bodyPatience
	RequestTime  = requestTime
	MaxWindow    = maxWindow
)
