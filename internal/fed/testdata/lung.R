# Reference results of the lung cancer data for the tests of each family. From
# this folder, with the packages survival, sandwich and brglm2:
#   Rscript lung.R ../../../../shared/data/lung/lung.csv > lung.csv
# The Breslow and Efron figures are coxph's, the others those of base R unless
# a line says otherwise.
suppressMessages({library(survival); library(sandwich); library(brglm2)})
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1])
d <- d[!is.na(d$inst) & !is.na(d$ph.ecog), ]
d$site <- cut(d$inst, c(0, 3, 11, 99), labels = FALSE)
d$dead <- d$status - 1
d$row <- seq_len(nrow(d)) - 1
d$w <- 0.5 + (d$row %% 5) / 4
d$person <- d$row %/% 3

cat("# made by lung.R with", R.version.string, "and survival", as.character(packageVersion("survival")),
    "sandwich", as.character(packageVersion("sandwich")), "brglm2", as.character(packageVersion("brglm2")), "\n")
cat("fit,term,what,value\n")
say <- function(fit, term, what, value) cat(sprintf("%s,%s,%s,%.17g\n", fit, term, what, value), sep = "")
terms <- c("(Intercept)", "age", "sex", "ph.ecog")
table <- function(fit, coefficients, what = c("coef", "se", "statistic", "p")) {
  for (term in intersect(rownames(coefficients), terms))
    for (j in seq_along(what)) say(fit, term, what[j], coefficients[term, j])
}

# linear: ph.karno on age, sex and ph.ecog, without the row that has no ph.karno
k <- d[!is.na(d$ph.karno), ]
linear <- function(fit, m) {
  s <- summary(m)
  table(fit, s$coefficients)
  say(fit, "", "deviance", deviance(m)); say(fit, "", "aic", AIC(m)); say(fit, "", "df", m$df.residual)
  say(fit, "", "sigma2", s$sigma^2); say(fit, "age", "low", confint(m)["age", 1]); say(fit, "age", "high", confint(m)["age", 2])
  say(fit, "sex", "cov.age", vcov(m)["sex", "age"])
}
m <- lm(ph.karno ~ age + sex + ph.ecog, k); linear("linear common", m); say("linear common", "", "r2", summary(m)$r.squared)
m <- lm(ph.karno ~ factor(site) + age + sex + ph.ecog, k); linear("linear site", m); say("linear site", "", "r2", summary(m)$r.squared)
m <- lm(ph.karno ~ age + sex + ph.ecog, k, weights = w); linear("linear weighted", m); say("linear weighted", "", "r2", summary(m)$r.squared)
# ridge, on standardised columns and label: minimises RSS + lambda * sum(b^2)
z <- scale(as.matrix(k[, terms[-1]])) * sqrt(nrow(k) / (nrow(k) - 1))
y <- drop(scale(k$ph.karno)) * sqrt(nrow(k) / (nrow(k) - 1))
b <- solve(crossprod(z) + diag(10, 3), crossprod(z, y)) / attr(scale(as.matrix(k[, terms[-1]])), "scaled:scale") * sd(k$ph.karno)
for (term in terms[-1]) say("linear ridge 10", term, "coef", b[term, 1])

# poisson: deaths by follow-up time, and tens of points of ph.karno
exact <- glm.control(epsilon = 1e-15, maxit = 100)
counts <- function(fit, m) {
  table(fit, summary(m)$coefficients)
  say(fit, "", "deviance", deviance(m)); say(fit, "", "aic", AIC(m)); say(fit, "sex", "cov.age", vcov(m)["sex", "age"])
}
counts("poisson common", glm(dead ~ age + sex + ph.ecog + offset(log(time)), poisson, d, control = exact))
counts("poisson site", glm(dead ~ factor(site) + age + sex + ph.ecog + offset(log(time)), poisson, d, control = exact))
counts("poisson weighted", suppressWarnings(glm(dead ~ age + sex + ph.ecog + offset(log(time)), poisson, d, weights = w, control = exact)))
counts("poisson counts", glm(ph.karno / 10 ~ factor(site) + age + sex + ph.ecog, poisson, k, control = exact))

# firth: everybody with row %% 23 == 0 (in the hard case, among the first 80 rows,
# of whom few live, row %% 11 == 0) has a rare trait and is dead
firth <- function(name, f, every) {
  f$rare <- as.numeric(f$row %% every == 0); f$dead[f$rare == 1] <- 1
  for (kind in c("common", "site")) {
    m <- glm(if (kind == "common") dead ~ age + sex + rare else dead ~ 0 + factor(site) + age + sex + rare, binomial, f,
             method = "brglmFit", type = "AS_mean", epsilon = 1e-13, maxit = 100000)
    c <- summary(m)$coefficients
    fit <- paste(name, kind)
    for (term in intersect(rownames(c), c(terms, "rare"))) { say(fit, term, "coef", c[term, 1]); say(fit, term, "se", c[term, 2]) }
    x <- model.matrix(m); p <- fitted(m)
    say(fit, "", "loglik", as.numeric(logLik(m)) + determinant(crossprod(x, x * (p * (1 - p))))$modulus / 2)
  }
}
firth("firth", d, 23)
firth("firth hard", d[1:80, ], 11)

# cox, its check, and the log-rank test
d$own <- ave(d$row, d$site, FUN = function(i) { # 1 - each site's own curve just before each time
  s <- survfit(Surv(time, dead) ~ 1, d[i + 1, ]); 1 - c(1, s$surv)[findInterval(d$time[i + 1], s$time, left.open = TRUE) + 1] })
for (ties in c("efron", "breslow")) {
  m <- coxph(Surv(time, dead) ~ age + sex + ph.ecog + strata(site), d, ties = ties, eps = 1e-14, toler.chol = 1e-15)
  fit <- paste("cox", ties)
  table(fit, summary(m)$coefficients[, c(1, 3, 4, 5)])
  say(fit, "", "loglik", m$loglik[2]); say(fit, "", "aic", AIC(m)); say(fit, "sex", "cov.age", vcov(m)["sex", "age"])
  say(fit, "", "concordance", m$concordance["concordance"])
  z <- cox.zph(m)$table
  for (term in rownames(z)) say(fit, term, "zph", z[term, 1])
  say(fit, "GLOBAL", "zph.p", z["GLOBAL", 3])
  z <- cox.zph(m, transform = function(t) d$own)$table
  for (term in rownames(z)) say(fit, term, "zph.own", z[term, 1])
}
say("log-rank sex", "", "chi2", survdiff(Surv(time, dead) ~ sex + strata(site), d)$chisq)
say("log-rank ph.ecog", "", "chi2", survdiff(Surv(time, dead) ~ ph.ecog + strata(site), d)$chisq)

# kaplan-meier: times moved to the ends of months of 30 days
d$month <- ceiling(d$time / 30) * 30
s <- survfit(Surv(month, dead) ~ sex, d)
group <- rep(c("men", "women"), s$strata)
for (i in seq_along(s$time)) {
  at <- paste("month", s$time[i] / 30)
  say(group[i], at, "risk", s$n.risk[i]); say(group[i], at, "survival", s$surv[i]); say(group[i], at, "se", s$surv[i] * s$std.err[i])
  if (s$surv[i] > 0) { say(group[i], at, "low", s$lower[i]); say(group[i], at, "high", s$upper[i]) }
}
for (g in 1:2) say(c("men", "women")[g], "", "median", summary(s)$table[g, "median"])

# describe
say("describe", "age", "mean", mean(d$age)); say("describe", "age", "sd", sd(d$age))
for (q in c(0.1, 0.25, 0.5, 0.9)) say("describe", "age", paste("quantile", q), quantile(d$age, q, type = 1))
h <- hist(d$age, breaks = seq(0, 100, 10), right = FALSE, plot = FALSE)$counts
for (i in seq_along(h)) say("describe", "age", paste("bin", i), h[i])
x <- suppressWarnings(chisq.test(base::table(d$ph.ecog, d$dead), correct = FALSE))
say("describe", "ph.ecog", "chi2", x$statistic); say("describe", "ph.ecog", "df", x$parameter); say("describe", "ph.ecog", "p", x$p.value)

# cluster-robust errors: three rows in a row are one person
robust <- function(fit, m) {
  v <- vcovCL(m, cluster = m$data$person)
  for (term in intersect(colnames(v), terms)) say(fit, term, "se", sqrt(v[term, term]))
  say(fit, "sex", "cov.age", v["sex", "age"])
}
robust("clusters logistic common", glm(dead ~ age + sex + ph.ecog, binomial, d, control = exact))
robust("clusters logistic site", glm(dead ~ factor(person %/% 25) + age + sex + ph.ecog, binomial, d, control = exact))
robust("clusters poisson", glm(dead ~ age + sex + ph.ecog + offset(log(time)), poisson, d, control = exact))
for (fit in c("common", "site")) {
  m <- lm(if (fit == "common") ph.karno ~ age + sex + ph.ecog else ph.karno ~ factor(person %/% 25) + age + sex + ph.ecog, k)
  m$data <- k
  robust(paste("clusters linear", fit), m)
}

# tails of distributions
for (df in c(1, 2, 7.5, 40, 1000)) for (t in c(0.1, 1, 2.5, 9)) say("t", df, t, 2 * pt(-t, df))
for (df in c(1, 2, 7.5, 40, 1000)) say("t", df, "quantile", qt(0.975, df))
for (df in c(1, 2, 9, 200)) for (x in c(0.01, 1, 9.7, 240)) say("chi2", df, x, pchisq(x, df, lower.tail = FALSE))
