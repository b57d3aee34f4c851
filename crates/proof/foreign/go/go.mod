module mortise.example/checkproof

go 1.21

require golang.org/x/mod v0.0.0

// The directory is made by the commands in ../README.md; nothing is fetched.
replace golang.org/x/mod => ./xmod
