# Reference fits of the heart disease data of four hospitals, of the rows with all of
# ten columns (303, 261, 46, 130), and of the handwritten 3s and 8s. From this folder,
# with the package brglm2:
#   Rscript heart.R ../../../../shared/data > heart.csv
suppressMessages(library(brglm2))
data <- commandArgs(trailingOnly = TRUE)[1]
cat("# made by heart.R with", R.version.string, "and brglm2", as.character(packageVersion("brglm2")), "\n")
cat("fit,term,coef,se,deviance\n")
row <- function(fit, term, coef, se, deviance)
  cat(sprintf("%s,%s,%.17g,%.17g,%.17g\n", fit, term, coef, se, deviance), sep = "")
tell <- function(fit, m, d = deviance(m)) {
  c <- summary(m)$coefficients
  row(fit, rownames(c), c[, 1], c[, 2], d)
}
# Newton's method for a ridge on columns of mean 0 and standard deviation 1; the
# intercepts are free.
ridge <- function(fit, lambda, x, y, site) {
  mean <- colMeans(x); sd <- sqrt(colMeans(sweep(x, 2, mean)^2))
  z <- sweep(sweep(x, 2, mean), 2, sd, "/")
  a <- if (is.null(site)) cbind(1, z) else cbind(model.matrix(~ 0 + factor(site)), z)
  penalty <- c(rep(0, ncol(a) - ncol(z)), rep(lambda, ncol(z)))
  b <- rep(0, ncol(a))
  for (r in 1:80) {
    p <- plogis(drop(a %*% b))
    b <- b + solve(crossprod(a, a * (p * (1 - p))) + diag(penalty), drop(crossprod(a, y - p)) - penalty * b)
  }
  eta <- drop(a %*% b)
  row(fit, colnames(x), b[penalty > 0] / sd, 0, -2 * sum(plogis(ifelse(y == 1, eta, -eta), log.p = TRUE)))
}

names <- c("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak")
d <- NULL
for (hospital in c("cleveland", "hungarian", "switzerland", "va")) {
  h <- read.csv(file.path(data, "heart", paste0("processed.", hospital, ".data")), header = FALSE, na.strings = "?")
  h <- h[complete.cases(h[, 1:10]), ]
  d <- rbind(d, data.frame(setNames(h[, 1:10], names), y = as.numeric(h[, 14] > 0), site = hospital))
}
x <- with(d, cbind(age, sex, cp2 = cp == 2, cp3 = cp == 3, cp4 = cp == 4, trestbps, chol, fbs,
                   restecg1 = restecg == 1, restecg2 = restecg == 2, thalach, exang, oldpeak) * 1)
y <- d$y; site <- d$site
exact <- glm.control(epsilon = 1e-15, maxit = 100)
f <- data.frame(y, site, x)
terms <- paste(colnames(x), collapse = " + ")
tell("logistic common", glm(paste("y ~", terms), binomial, f, control = exact))
tell("logistic site", glm(paste("y ~ 0 + site +", terms), binomial, f, control = exact))
for (lambda in c(1e-3, 1, 10)) {
  ridge(paste("logistic common", lambda), lambda, x, y, NULL)
  ridge(paste("logistic site", lambda), lambda, x, y, site)
}
tell("firth common", glm(paste("y ~", terms), binomial, f, method = "brglmFit", type = "AS_mean", epsilon = 1e-13, maxit = 1e5), 0)
others <- paste(setdiff(colnames(x), "thalach"), collapse = " + ")
tell("linear common", lm(paste("thalach ~", others), f))
tell("linear site", lm(paste("thalach ~ site +", others), f))

# 3s and 8s, pixels that are the same in all of these left out, dealt to three sites
g <- read.csv(gzfile(file.path(data, "digits", "digits.csv.gz")), header = FALSE)
g <- g[g[, 65] %in% c(3, 8), ]
x <- as.matrix(g[, 1:64]); y <- as.numeric(g[, 65] == 8)
colnames(x) <- paste0("p", 0:63)
x <- x[, apply(x, 2, function(p) max(p) > min(p))]
site <- (seq_along(y) - 1) %/% 7 %% 3
ridge("digits common", 1, x, y, NULL)
ridge("digits site", 1, x, y, site)
