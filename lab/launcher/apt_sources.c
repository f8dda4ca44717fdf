/* SPDX-License-Identifier: MIT */
/*
 * Reading apt's source entries (apt_sources.h), by sources.list(5) and deb822(5).
 *
 * Linear in the text; a URI times suites of one stanza, at most APT_MAX_ENTRIES in all.
 */
#include "lab/launcher/apt_sources.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A piece of the text; not terminated. */
struct piece {
	const char *at;
	size_t len;
};

/* The fields of a stanza that matter, in either format. */
struct stanza {
	struct piece types, uris, suites, components, signed_by, architectures, enabled;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool piece_is(struct piece piece, const char *text)
{
	return piece.len == strlen(text) && strncasecmp(piece.at, text, piece.len) == 0;
}

static struct piece trim(struct piece piece)
{
	while (piece.len && is_blank(piece.at[0])) {
		piece.at++;
		piece.len--;
	}
	while (piece.len && is_blank(piece.at[piece.len - 1]))
		piece.len--;
	return piece;
}

/* Takes the next word off `rest`, or nothing (len 0) at its end. */
static struct piece next_word(struct piece *rest, const char *separators)
{
	struct piece word = *rest;
	if (word.len == 0)
		return word;
	while (word.len && strchr(separators, word.at[0])) {
		word.at++;
		word.len--;
	}
	*rest = word;
	word.len = 0;
	while (word.len < rest->len && !strchr(separators, rest->at[word.len]))
		word.len++;
	rest->at += word.len;
	rest->len -= word.len;
	return word;
}

static bool has_word(struct piece list, const char *word, const char *separators)
{
	for (struct piece found; (found = next_word(&list, separators)).len;)
		if (piece_is(found, word))
			return true;
	return false;
}

static char *piece_dup(struct piece piece)
{
	return strndup(piece.at, piece.len);
}

static int add_entry(struct apt_entries *entries, const struct stanza *stanza, struct piece uri,
		     struct piece suite)
{
	struct apt_entry entry = { .uri = piece_dup(uri), .suite = piece_dup(suite) };
	if (entries->nr >= APT_MAX_ENTRIES) {
		free(entry.uri);
		free(entry.suite);
		return -E2BIG;
	}
	entry.has_main = has_word(stanza->components, "main", " \t\r\n");
	entry.is_amd64 = stanza->architectures.len == 0 ||
			 has_word(stanza->architectures, "amd64", ", \t\r\n");
	if (stanza->signed_by.len)
		entry.signed_by = piece_dup(stanza->signed_by);
	struct apt_entry *items = realloc(entries->items,
					  (entries->nr + 1) * sizeof(*entries->items));
	if (items)
		entries->items = items;
	if (!items || !entry.uri || !entry.suite || (stanza->signed_by.len && !entry.signed_by)) {
		free(entry.uri);
		free(entry.suite);
		free(entry.signed_by);
		return -ENOMEM;
	}
	items[entries->nr++] = entry;
	return 0;
}

static bool is_off(struct piece enabled)
{
	static const char *const words[] = { "no", "false", "without", "off", "disable", "0" };
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (piece_is(enabled, words[i]))
			return true;
	return false;
}

/* Every URI with every suite. */
static int add_stanza(struct apt_entries *entries, const struct stanza *stanza)
{
	static const char blanks[] = " \t\r\n";
	struct piece uris = stanza->uris;
	if (!has_word(stanza->types, "deb", blanks) || is_off(stanza->enabled))
		return 0;
	for (struct piece uri; (uri = next_word(&uris, blanks)).len;) {
		struct piece suites = stanza->suites;
		for (struct piece suite; (suite = next_word(&suites, blanks)).len;) {
			int error = add_entry(entries, stanza, uri, suite);
			if (error)
				return error;
		}
	}
	return 0;
}

static struct piece next_line(struct piece *rest)
{
	struct piece line = *rest;
	const char *end = memchr(rest->at, '\n', rest->len);
	line.len = end ? (size_t)(end - rest->at) : rest->len;
	size_t used = line.len + (end != NULL);
	rest->at += used;
	rest->len -= used;
	return line;
}

static struct piece *find_field(struct stanza *stanza, struct piece name)
{
	const struct {
		const char *name;
		struct piece *field;
	} fields[] = {
		{ "Types", &stanza->types },
		{ "URIs", &stanza->uris },
		{ "Suites", &stanza->suites },
		{ "Components", &stanza->components },
		{ "Signed-By", &stanza->signed_by },
		{ "Architectures", &stanza->architectures },
		{ "Enabled", &stanza->enabled },
		{ "type", &stanza->types }, /* from here on as options of one line */
		{ "arch", &stanza->architectures },
	};
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (piece_is(name, fields[i].name))
			return fields[i].field;
	return NULL;
}

/* One line of a stanza; `field` is where lines that begin with a blank go on. Such a field is one
 * piece of the text, so a comment within it stays there: apt takes it out itself. */
static struct piece *take_field(struct stanza *stanza, struct piece line, struct piece *field)
{
	if (line.len && (line.at[0] == ' ' || line.at[0] == '\t')) {
		if (field)
			field->len = (size_t)(line.at + line.len - field->at);
		return field;
	}
	const char *colon = memchr(line.at, ':', line.len);
	if (!colon)
		return NULL;
	size_t name_len = (size_t)(colon - line.at);
	field = find_field(stanza, (struct piece){ line.at, name_len });
	if (field)
		*field = (struct piece){ colon + 1, line.len - name_len - 1 };
	return field;
}

static void trim_stanza(struct stanza *stanza)
{
	stanza->types = trim(stanza->types);
	stanza->enabled = trim(stanza->enabled);
	stanza->signed_by = trim(stanza->signed_by);
}

static int parse_deb822(struct apt_entries *entries, struct piece text)
{
	struct stanza stanza = {};
	struct piece *field = NULL;
	int error = 0;
	while (text.len && !error) {
		struct piece line = next_line(&text);
		if (line.len && line.at[0] == '#')
			continue;
		if (trim(line).len) {
			field = take_field(&stanza, line, field);
			continue;
		}
		trim_stanza(&stanza);
		error = add_stanza(entries, &stanza);
		stanza = (struct stanza){};
		field = NULL;
	}
	trim_stanza(&stanza);
	return error ? error : add_stanza(entries, &stanza);
}

/* "[ a=b c=d ]" at the beginning of `line`; false: it has no end. */
static bool take_brackets(struct stanza *stanza, struct piece *line)
{
	const char *end = memchr(line->at, ']', line->len);
	if (!end)
		return false;
	struct piece options = { line->at + 1, (size_t)(end - line->at) - 1 };
	for (struct piece word; (word = next_word(&options, " \t\r")).len;) {
		const char *equals = memchr(word.at, '=', word.len);
		size_t name_len = equals ? (size_t)(equals - word.at) : 0;
		size_t less = equals && name_len && strchr("+-", equals[-1]) ? 1 : 0;
		struct piece *field = equals ? find_field(stanza, (struct piece){ word.at,
										  name_len - less })
					     : NULL;
		if (field && !less)
			*field = (struct piece){ equals + 1, word.len - name_len - 1 };
	}
	size_t used = (size_t)(end + 1 - line->at);
	line->at += used;
	line->len -= used;
	return true;
}

static int parse_line(struct apt_entries *entries, struct piece line)
{
	static const char blanks[] = " \t\r";
	struct stanza stanza = {};
	const char *comment = memchr(line.at, '#', line.len);
	if (comment)
		line.len = (size_t)(comment - line.at);
	line = trim(line);
	struct piece type = next_word(&line, blanks);
	line = trim(line);
	if (line.len && line.at[0] == '[' && !take_brackets(&stanza, &line))
		return 0;
	stanza.types = type;
	stanza.enabled = (struct piece){};
	stanza.uris = next_word(&line, blanks);
	stanza.suites = next_word(&line, blanks);
	stanza.components = line;
	return add_stanza(entries, &stanza);
}

int apt_entries_parse(struct apt_entries *entries, const char *text, size_t nr, bool is_deb822)
{
	int error = 0;
	if (nr > APT_MAX_TEXT)
		return -E2BIG;
	struct piece rest = { text, strnlen(text, nr) }; /* nothing counts after a NUL */
	if (is_deb822)
		return parse_deb822(entries, rest);
	while (rest.len && !error)
		error = parse_line(entries, next_line(&rest));
	return error;
}

void apt_entries_fini(struct apt_entries *entries)
{
	for (size_t i = 0; i < entries->nr; i++) {
		free(entries->items[i].uri);
		free(entries->items[i].suite);
		free(entries->items[i].signed_by);
	}
	free(entries->items);
	*entries = (struct apt_entries){};
}

static bool can_fetch(const char *uri)
{
	static const char *const no[] = { "cdrom:", "copy:" };
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (strncasecmp(uri, no[i], strlen(no[i])) == 0)
			return false;
	return strchr(uri, ':') != NULL;
}

/* The path's last part begins with "debian": debian, debian-security, debian/. */
static bool path_is_debian(const char *uri)
{
	size_t len = strlen(uri);
	while (len && uri[len - 1] == '/')
		len--;
	size_t start = len;
	while (start && uri[start - 1] != '/')
		start--;
	return len - start >= 6 && strncmp(uri + start, "debian", 6) == 0;
}

static bool has_sibling(const struct apt_entries *entries, const struct apt_entry *entry,
			const char *release)
{
	size_t len = strlen(release);
	for (size_t i = 0; i < entries->nr; i++) {
		const struct apt_entry *other = &entries->items[i];
		if (other != entry && strcmp(other->uri, entry->uri) == 0 &&
		    strncmp(other->suite, release, len) == 0 &&
		    (strcmp(other->suite + len, "-updates") == 0 ||
		     strcmp(other->suite + len, "-backports") == 0))
			return true;
	}
	return false;
}

static unsigned likeness(const struct apt_entries *entries, const struct apt_entry *entry,
			 const char *release)
{
	unsigned points = 1;
	if (entry->signed_by && strstr(entry->signed_by, "debian-archive"))
		points += 4;
	if (has_sibling(entries, entry, release))
		points += 2;
	if (path_is_debian(entry->uri))
		points += 1;
	return points;
}

const struct apt_entry *apt_entries_find(const struct apt_entries *entries, const char *suite,
					 const char *release)
{
	const struct apt_entry *best = NULL;
	unsigned best_points = 0;
	for (size_t i = 0; i < entries->nr; i++) {
		const struct apt_entry *entry = &entries->items[i];
		if (strcmp(entry->suite, suite) != 0 || !entry->has_main || !entry->is_amd64 ||
		    !can_fetch(entry->uri))
			continue;
		unsigned points = likeness(entries, entry, release);
		if (points > best_points) {
			best = entry;
			best_points = points;
		}
	}
	return best;
}

void apt_entry_derive(struct printbuf *out, const struct apt_entry *entry, const char *suites)
{
	prt_str(out, "Types: deb\nURIs: ");
	prt_str(out, entry->uri);
	prt_str(out, "\nSuites: ");
	prt_str(out, suites);
	prt_str(out, "\nComponents: main\nArchitectures: amd64\n");
	if (entry->signed_by) {
		bool is_key = strchr(entry->signed_by, '\n') != NULL;
		prt_str(out,
			is_key && entry->signed_by[0] == '-' ? "Signed-By:\n " : "Signed-By: ");
		prt_str(out, entry->signed_by);
		prt_char(out, '\n');
	}
	prt_char(out, '\n');
}

char *os_release_value(const char *text, const char *key)
{
	size_t len = strlen(key);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || line[len] != '=')
			continue;
		const char *value = line + len + 1;
		char quote = *value == '"' || *value == '\'' ? *value : '\0';
		const char end[] = { quote ? quote : '\n', '\n', '\0' };
		value += quote != '\0';
		size_t value_len = strcspn(value, end);
		return value_len ? strndup(value, value_len) : NULL;
	}
	return NULL;
}
