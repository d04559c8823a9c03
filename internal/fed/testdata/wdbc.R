# Reference fits of the breast cancer data for TestWDBC. From this folder:
#   Rscript wdbc.R ../../../../shared/data/wdbc/breast_cancer.csv > wdbc.csv
# Maximum likelihood by glm; ridge by Newton's method on an explicit design.
args <- commandArgs(trailingOnly = TRUE)
d <- read.csv(args[1], skip = 1, header = FALSE)
x <- as.matrix(d[, c(1, 4, 8, 9, 11, 14, 18, 19) + 1])
colnames(x) <- c("texture", "smoothness", "symmetry", "fractal", "se_texture", "se_smoothness", "se_symmetry", "se_fractal")
y <- 1 - d[, 31]                                     # malignant
i <- seq_len(nrow(x)) - 1
k <- (i * i + i %/% 5) %% 7 + 1                        # four sites of unlike size and base rate
site <- ifelse(y == 1, c(0, 0, 0, 1, 1, 2, 3)[k], c(0, 1, 2, 3, 3, 2, 3)[k])

cat("# made by wdbc.R with", R.version.string, "\n")
cat("fit,term,coef,se,deviance\n")
row <- function(fit, term, coef, se, deviance)
  cat(sprintf("%s,%s,%.17g,%.17g,%.17g\n", fit, term, coef, se, deviance), sep = "")

exact <- glm.control(epsilon = 1e-15, maxit = 100)
common <- glm(y ~ x, family = binomial, control = exact)
c1 <- summary(common)$coefficients
row("common", sub("^x", "", rownames(c1)), c1[, 1], c1[, 2], deviance(common))
bysite <- glm(y ~ 0 + factor(site) + x, family = binomial, control = exact)
c2 <- summary(bysite)$coefficients
row("site", sub("^x|^factor\\(site\\)", "", rownames(c2)), c2[, 1], c2[, 2], deviance(bysite))

n <- nrow(x)
mean <- colMeans(x)
sd <- sqrt(colMeans(sweep(x, 2, mean)^2))
z <- sweep(sweep(x, 2, mean), 2, sd, "/")
newton <- function(a, penalty) {
  b <- rep(0, ncol(a))
  for (r in 1:60) {
    p <- plogis(drop(a %*% b))
    h <- crossprod(a, a * (p * (1 - p))) + diag(penalty)
    b <- b + solve(h, drop(crossprod(a, y - p)) - penalty * b)
  }
  eta <- drop(a %*% b)
  list(coef = b, information = h, deviance = -2 * sum(plogis(ifelse(y == 1, eta, -eta), log.p = TRUE)))
}
eigenvalues <- eigen(newton(cbind(1, z), rep(0, 9))$information, symmetric = TRUE)$values
row("common", "condition", max(eigenvalues) / min(eigenvalues), 0, 0)
for (lambda in c(1e-3, 1, 10)) {
  for (kind in c("common", "site")) {
    a <- if (kind == "common") cbind(1, z) else cbind(model.matrix(~ 0 + factor(site)), z)
    free <- ncol(a) - ncol(z)
    f <- newton(a, c(rep(0, free), rep(lambda, ncol(z))))
    row(paste0(kind, " ", format(lambda)), colnames(x), f$coef[-seq_len(free)] / sd, 0, f$deviance)
  }
}
