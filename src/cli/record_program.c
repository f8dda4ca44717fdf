/* SPDX-License-Identifier: MIT */
/*
 * Finds what the kernel would run for a command: PATH, #! lines, ELF header. qemu-user does none
 * of this well (it knows no scripts and names no remedy), and the exit status must be that of
 * env(1): 127 when there is no such program, 126 when it cannot be run.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/record.h"

#define SCRIPT_LEVELS	5   /* the kernel's limit of nested #! lines */
#define SCRIPT_LINE	256 /* ... of such a line */
#define PROGRAM_HEADERS 64  /* looked at for the loader's name */
#define LOADER_NAME_MAX 4096

static bool is_regular(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

char *record_search_path(const char *name, int *ret_error)
{
	const char *path = getenv("PATH");
	*ret_error = -ENOENT;
	for (const char *at = path ? path : "/usr/local/bin:/usr/bin:/bin"; at && *at;) {
		size_t len = strcspn(at, ":");
		PRINTBUF(full);
		if (len > 0) {
			prt_mem(&full, at, len);
			prt_char(&full, '/');
		}
		prt_str(&full, name);
		if (is_regular(printbuf_str(&full))) {
			if (access(printbuf_str(&full), X_OK) == 0)
				return printbuf_steal(&full, NULL);
			*ret_error = -EACCES;
		}
		at = at[len] ? at + len + 1 : NULL;
	}
	return NULL;
}

static int not_found(struct printbuf *err, const char *name)
{
	error_set(err, -ENOENT, "%s: there is no such program; check the name and PATH",
		  *name ? name : "\"\"");
	return EXIT_NOT_FOUND;
}

static int cannot_run(struct printbuf *err, const char *name, const char *why)
{
	error_set(err, -EACCES, "%s: cannot be run: %s", name, why);
	return EXIT_CANNOT_RUN;
}

/* *ret_path: malloc'ed. */
static int find_file(const char *name, char **ret_path, struct printbuf *err)
{
	struct stat status;
	int error = 0;
	char *path = strchr(name, '/') ? strdup(name) : record_search_path(name, &error);
	if (!path && error == -EACCES)
		return cannot_run(err, name, "it is not executable; chmod +x it");
	if (!path || stat(path, &status) < 0) {
		error = path ? errno : ENOENT;
		free(path);
		if (error == ENOENT || error == ENOTDIR)
			return not_found(err, name);
		return cannot_run(err, name, error_text(error));
	}
	const char *why = S_ISDIR(status.st_mode)    ? "it is a directory"
			  : !S_ISREG(status.st_mode) ? "it is not a file"
			  : access(path, X_OK) < 0   ? "it is not executable; chmod +x it"
			  : access(path, R_OK) < 0
				  ? "the recorder may not read it; make it readable"
				  : NULL;
	if (why) {
		free(path);
		return cannot_run(err, name, why);
	}
	*ret_path = path;
	return 0;
}

static size_t read_at(const char *path, uint64_t offset, void *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t nr = pread(fd, to, size, (off_t)offset);
	close(fd);
	return nr < 0 ? 0 : (size_t)nr;
}

/* argv of the program with its first word replaced by up to three. */
static int replace_first(struct record_program *program, const char *const words[], size_t nr_words)
{
	size_t nr = 0, at = 0;
	while (program->arguments[nr])
		nr++;
	char **arguments = calloc(nr + nr_words + 1, sizeof(*arguments));
	if (!arguments)
		return -ENOMEM;
	for (size_t i = 0; i < nr_words; i++)
		arguments[at++] = strdup(words[i]);
	free(program->arguments[0]);
	for (size_t i = 1; i < nr; i++)
		arguments[at++] = program->arguments[i];
	free(program->arguments);
	program->arguments = arguments;
	return 0;
}

/* "#! interpreter [one argument]"; the rest of the line is one word, as in the kernel. */
static int take_script(struct record_program *program, char *line, struct printbuf *err)
{
	const char *words[3];
	size_t nr = 0;
	line[strcspn(line, "\n")] = '\0';
	char *at = line + 2 + strspn(line + 2, " \t");
	size_t len = strcspn(at, " \t");
	char *rest = at + len + strspn(at + len, " \t");
	for (size_t end = strlen(rest); end > 0 && strchr(" \t", rest[end - 1]); end--)
		rest[end - 1] = '\0';
	at[len] = '\0';
	if (len == 0)
		return cannot_run(err, program->path, "its #! line names no interpreter");
	words[nr++] = at;
	if (*rest)
		words[nr++] = rest;
	words[nr++] = program->path;
	if (replace_first(program, words, nr) < 0)
		return cannot_run(err, program->path, "out of memory");
	char *path = NULL;
	int status = find_file(at, &path, err);
	if (status) {
		error_set(err, 0, " (the interpreter of %s)", program->path);
		return status;
	}
	free(program->path);
	program->path = path;
	return 0;
}

static int take_elf(struct record_program *program, const Elf64_Ehdr *header, size_t nr,
		    struct printbuf *err)
{
	if (nr < sizeof(*header) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_machine != EM_X86_64) {
		error_set(err, -EOPNOTSUPP,
			  "%s: is not a program for x86-64; only those can be recorded so far",
			  program->path);
		return EXIT_NOT_SUPPORTED;
	}
	Elf64_Phdr segment;
	char name[LOADER_NAME_MAX] = "";
	for (unsigned i = 0; i < MIN(header->e_phnum, PROGRAM_HEADERS); i++) {
		uint64_t at = header->e_phoff + i * (uint64_t)sizeof(segment);
		if (read_at(program->path, at, &segment, sizeof(segment)) != sizeof(segment))
			return cannot_run(err, program->path, "it is cut short");
		if (segment.p_type == PT_INTERP && segment.p_filesz < sizeof(name))
			read_at(program->path, segment.p_offset, name, segment.p_filesz);
	}
	if (*name && access(name, R_OK) < 0) {
		error_set(err, -ENOENT, "%s: needs the loader %s, which is not there; install it",
			  program->path, name);
		return EXIT_NOT_FOUND;
	}
	program->interpreter = *name ? realpath(name, NULL) : strdup("");
	return program->interpreter ? 0 : cannot_run(err, program->path, "out of memory");
}

static int take_file(struct record_program *program, struct printbuf *err)
{
	for (int level = 0; level < SCRIPT_LEVELS; level++) {
		union {
			Elf64_Ehdr elf;
			char text[SCRIPT_LINE + 1];
		} head = { 0 };
		size_t nr = read_at(program->path, 0, head.text, SCRIPT_LINE);
		if (nr >= SELFMAG && memcmp(head.text, ELFMAG, SELFMAG) == 0)
			return take_elf(program, &head.elf, nr, err);
		/* What is neither is a script for sh, as execvp(3) has it. */
		char shell[] = "#!/bin/sh";
		bool is_script = nr >= 2 && memcmp(head.text, "#!", 2) == 0;
		if (!is_script && memchr(head.text, '\0', nr))
			return cannot_run(err, program->path, "it is no program");
		int status = take_script(program, is_script ? head.text : shell, err);
		if (status)
			return status;
	}
	return cannot_run(err, program->path, "its interpreters are scripts too often");
}

int record_find_program(char **arguments, int nr_arguments, struct record_program *ret,
			struct printbuf *err)
{
	struct record_program program = { 0 };
	struct stat status;
	program.arguments = calloc((size_t)nr_arguments + 1, sizeof(*program.arguments));
	if (!program.arguments)
		return EXIT_FAILED;
	for (int i = 0; i < nr_arguments; i++)
		program.arguments[i] = strdup(arguments[i]);
	int result = find_file(arguments[0], &program.path, err);
	result = result ? result : take_file(&program, err);
	if (!result) {
		program.real = realpath(program.path, NULL);
		program.is_set_id = stat(program.path, &status) == 0 &&
				    (status.st_mode & (S_ISUID | S_ISGID));
		if (!program.real)
			result = cannot_run(err, program.path, error_text(errno));
	}
	if (result)
		record_program_fini(&program);
	else
		*ret = program;
	return result;
}

void record_program_fini(struct record_program *program)
{
	for (size_t i = 0; program->arguments && program->arguments[i]; i++)
		free(program->arguments[i]);
	free(program->arguments);
	free(program->path);
	free(program->real);
	free(program->interpreter);
	*program = (struct record_program){ 0 };
}
