document.querySelector("h1").textContent = "Scripts ran";
throw new Error("this script is broken");
