/* SPDX-License-Identifier: MIT */
/*
 * The borders of the Zipf distribution's pieces (zipf.h).
 */
#include <math.h>

#include "lab/workloads/common/zipf.h"

/* The integral of x^-theta from `from` to `to`. */
static double integral(double from, double to, double theta)
{
	if (fabs(theta - 1) < 1e-9)
		return log(to / from);
	return (pow(to, 1 - theta) - pow(from, 1 - theta)) / (1 - theta);
}

/* Where the integral from `from` reaches `area`. */
static double reach(double from, double area, double theta)
{
	double inner;

	if (fabs(theta - 1) < 1e-9)
		return from * exp(area);
	inner = pow(from, 1 - theta) + area * (1 - theta);
	return inner <= 0 ? INFINITY : pow(inner, 1 / (1 - theta));
}

static uint64_t to_fixed(double at, uint64_t nr)
{
	if (!(at < (double)nr))
		at = (double)nr;
	return (uint64_t)(at * 0x1p32);
}

/* Rank r's weight stands over [r, r + 1): in the head as it is, in the tail as the integral of
 * x^-theta from r + 1/2 to r + 3/2. */
void zipf_init(struct zipf *zipf, uint64_t nr, double theta)
{
	uint64_t nr_head = nr < ZIPF_HEAD ? nr : ZIPF_HEAD, rank = 0;
	double head = 0, total, before = 0, weight = 1;

	zipf->nr = nr;
	zipf->theta = theta;
	for (uint64_t i = 0; i < nr_head; i++)
		head += pow((double)i + 1, -theta);
	total = head;
	if (nr > nr_head)
		total += integral((double)nr_head + 0.5, (double)nr + 0.5, theta);
	for (uint32_t i = 0; i < ZIPF_PIECES; i++) {
		double wanted = total * i / ZIPF_PIECES;

		while (rank < nr_head && before + weight <= wanted) {
			before += weight;
			weight = pow((double)++rank + 1, -theta);
		}
		if (rank < nr_head)
			zipf->borders[i] = to_fixed((double)rank + (wanted - before) / weight, nr);
		else
			zipf->borders[i] = to_fixed(
				reach((double)nr_head + 0.5, wanted - head, theta) - 0.5, nr);
	}
	/* One below nr in fixed point, so that no draw is nr itself. */
	zipf->borders[ZIPF_PIECES] = (nr << 32) - 1;
	if (zipf->borders[ZIPF_PIECES - 1] > zipf->borders[ZIPF_PIECES])
		zipf->borders[ZIPF_PIECES - 1] = zipf->borders[ZIPF_PIECES];
}

double zipf_weight(const struct zipf *zipf, uint64_t rank)
{
	uint64_t nr_head = zipf->nr < ZIPF_HEAD ? zipf->nr : ZIPF_HEAD;
	double total = 0;

	for (uint64_t i = 0; i < nr_head; i++)
		total += pow((double)i + 1, -zipf->theta);
	if (zipf->nr > nr_head)
		total += integral((double)nr_head + 0.5, (double)zipf->nr + 0.5, zipf->theta);
	return pow((double)rank + 1, -zipf->theta) / total;
}

static uint64_t divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

void scatter_init(struct scatter *scatter, uint64_t nr)
{
	/* The golden ratio's part keeps successive ranks far from each other. */
	uint64_t factor = (uint64_t)((double)nr * 0.6180339887498949);

	if (factor == 0)
		factor = 1;
	while (divisor(factor, nr) != 1)
		factor++;
	*scatter = (struct scatter){ nr, factor };
}
